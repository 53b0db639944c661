"""A server that speaks Ollama's protocol byte by byte, and goes wrong when it is told to.

It answers ``/api/tags`` and ``/api/embed`` on a port of 127.0.0.1 that it keeps while it is down, so that the same address refuses
and then answers again. Vectors are a fixed function of the text.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self

DIGEST = "b3eac5d789ae4c6b0b0111d741868d07d281404bc7e0dfed5638f6e8c08b0689"
MODEL = "tiny-embed"
DIMENSIONS = 32


def vector_of(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A unit vector that texts with the same words share, whatever their order."""
    total = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [""]:
        found = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=dimensions).digest()
        total = [part + byte - 127.5 for part, byte in zip(total, found, strict=True)]
    length = math.hypot(*total)
    return [round(part / length, 8) for part in total]


@dataclass(frozen=True)
class Asked:
    """One request as it came: ``connection`` counts from 0."""

    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Fault:
    """What is done to the right answer, to requests of one path: the first ``skip`` are spared, then ``times`` are not."""

    change: Callable[[bytes], bytes] = lambda right: right
    path: str = ""
    skip: int = 0
    times: int = 1_000_000
    pieces: int = 0
    """Send so many bytes at a time; 0 sends all at once."""
    hang_up: bool = False
    """Close the connection afterwards, which the answer does not announce."""
    reset: bool = False
    """The same without a farewell."""
    stall: bool = False
    """Never send anything."""
    die: bool = False
    """The whole server goes down instead of answering."""


def head(status: str, body: bytes, kind: str = "application/json; charset=utf-8") -> bytes:
    """A whole answer."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nDate: Sun, 22 Nov 2026 11:42:06 GMT\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def instead(status: str, body: str | bytes, kind: str = "application/json; charset=utf-8", **more: Any) -> Fault:
    """Another answer than the right one."""
    raw = head(status, body.encode() if isinstance(body, str) else body, kind)
    return Fault(lambda _: raw, **more)


def raw(answer: bytes, **more: Any) -> Fault:
    """Exactly these bytes, and then the end of the connection."""
    return Fault(lambda _: answer, hang_up=True, **more)


def altered(change: Callable[[Any], Any], **more: Any) -> Fault:
    """The right answer with another JSON value in it."""

    def changed(right: bytes) -> bytes:
        return head("200 OK", json.dumps(change(json.loads(right.split(b"\r\n\r\n", 1)[1]))).encode())

    return Fault(changed, **more)


BUSY = '{"error":"server busy, please try again.  maximum pending requests exceeded"}'


@dataclass
class FakeOllama:
    """The server; a context manager. ``models`` are the digests by name, ``asked`` is what came, in its order."""

    models: dict[str, str] = field(default_factory=lambda: {f"{MODEL}:latest": DIGEST, "tiny-script:latest": "c" * 64})
    dimensions: int = DIMENSIONS
    faults: list[Fault] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    meant: dict[str, str] = field(default_factory=dict)
    """Texts that get the vector of another text."""

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._live: dict[int, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._connections = 0
        self._gone = threading.Event()
        self._socket = self._bound(0)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @staticmethod
    def _bound(port: int) -> socket.socket:
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(("127.0.0.1", port))
        return found

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._socket.close()
        for thread in self._threads:
            thread.join(5)

    @property
    def texts(self) -> list[str]:
        """Every text that a vector was asked for, in its order."""
        return [text for item in self.asked if item.path == "/api/embed" for text in item.body["input"]]

    def start(self) -> None:
        """Answer, from now on."""
        self._gone = threading.Event()
        self._socket.listen(16)
        self._begin(self._accept, self._socket, self._gone)

    def stop(self) -> None:
        """Refuse connections from now on, and drop those that there are."""
        with self._lock:
            self._gone.set()
            old = self._socket
            # Wakes the thread that accepts; a port that is bound and not listened on refuses.
            with suppress(OSError):
                old.shutdown(socket.SHUT_RDWR)
            old.close()
            self._socket = self._bound(self.port)
            for live in self._live.values():
                with suppress(OSError):
                    live.shutdown(socket.SHUT_RDWR)

    def again(self) -> None:
        """As new: up, without faults, with its models and nothing asked."""
        fresh = FakeOllama.__dataclass_fields__["models"].default_factory
        assert callable(fresh)
        self.models = fresh()
        self.faults, self.asked, self.meant = [], [], {}
        if self._gone.is_set():
            self.start()

    def _begin(self, work: Callable[..., None], *given: Any) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listening: socket.socket, gone: threading.Event) -> None:
        while not gone.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with self._lock:
                number, self._connections = self._connections, self._connections + 1
                self._live[number] = connection
            self._begin(self._serve, number, connection, gone)

    def _serve(self, number: int, connection: socket.socket, gone: threading.Event) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while not gone.is_set() and (asked := _read(stream, number)) is not None:
                    if not self._answer(connection, asked, gone):
                        return
        except (OSError, ValueError):
            return
        finally:
            with self._lock:
                self._live.pop(number, None)

    def _answer(self, connection: socket.socket, asked: Asked, gone: threading.Event) -> bool:
        """Send the answer, right or wrong; whether the connection is kept."""
        with self._lock:
            self.asked.append(asked)
            fault = self._fault(asked.path)
        if fault.die:
            self.stop()
            return False
        if fault.stall:
            gone.wait(30)
            return False
        answer = fault.change(self._right(asked))
        for start in range(0, len(answer), fault.pieces or max(1, len(answer))):
            connection.sendall(answer[start : start + (fault.pieces or len(answer))])
        if fault.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return not (fault.hang_up or fault.reset)

    def _fault(self, path: str) -> Fault:
        for place, fault in enumerate(self.faults):
            if fault.path in ("", path) and fault.times > 0:
                spared = fault.skip > 0
                self.faults[place] = replace(fault, skip=fault.skip - spared, times=fault.times - (not spared))
                return Fault() if spared else fault
        return Fault()

    def _right(self, asked: Asked) -> bytes:
        if asked.path == "/api/tags":
            listed = [{"name": name, "model": name, "digest": digest} for name, digest in self.models.items()]
            return head("200 OK", json.dumps({"models": listed}).encode())
        if asked.path != "/api/embed":
            return head("404 Not Found", b"404 page not found", "text/plain")
        name = asked.body["model"]
        if name not in self.models and f"{name}:latest" not in self.models:
            return head(
                "404 Not Found", json.dumps({"error": f'model "{name}" not found, try pulling it first'}).encode()
            )
        vectors = [vector_of(self.meant.get(text, text), self.dimensions) for text in asked.body["input"]]
        return head("200 OK", json.dumps({"model": name, "embeddings": vectors, "total_duration": 330312802}).encode())


def _read(stream: Any, number: int) -> Asked | None:
    """The next request of a connection; None at its end."""
    line = stream.readline()
    if not line:
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := stream.readline()) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Asked(number, method, path, headers, json.loads(body) if body else None)
