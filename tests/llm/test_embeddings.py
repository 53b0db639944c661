"""The embedding client against a server that goes wrong byte by byte, against captured answers, and against a real Ollama."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from immunos_tui.llm import embeddings
from immunos_tui.llm.embeddings import BATCH, BUSY_TRIES, TEXT_LIMIT, Embedder
from immunos_tui.model.errors import DataError, ImmunosError, NotFoundError, UnreachableError
from immunos_tui.model.text import clean
from tests.llm.server import BUSY, DIGEST, MODEL, FakeOllama, Fault, altered, instead, raw, vector_of

# Read here, since no test sees the developer's own wishes.
OLLAMA = os.environ.get("IMMUNOS_OLLAMA") or shutil.which("ollama")
GGUF_PYTHON = os.environ.get("IMMUNOS_GGUF_PYTHON") or sys.executable

TEXTS = ["the cat sat", "a dog ran", "it rained"]
PAGE = "<html>\n<title>Sign \x1b[31min</title>\n</html>"


@pytest.fixture
def embedder(server: FakeOllama) -> Iterator[Embedder]:
    with closing(Embedder(server.url, MODEL)) as found:
        yield found


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for; none of them is made."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


def all_of(embedder: Embedder, texts: list[str]) -> list[list[float]]:
    return [vector for part in embedder.vectors(texts) for vector in part]


# ---- what goes right ---------------------------------------------------------------------------------------------------


def test_the_vectors_of_many_texts_keep_their_order(server: FakeOllama, embedder: Embedder) -> None:
    texts = [f"line {i} of {i % 7}" for i in range(150)]
    parts = list(embedder.vectors(texts))
    assert [len(part) for part in parts] == [BATCH, BATCH, 150 - 2 * BATCH]
    assert [vector for part in parts for vector in part] == [vector_of(text) for text in texts]
    assert server.texts == texts
    assert {(item.method, item.path, item.body["model"]) for item in server.asked} == {("POST", "/api/embed", MODEL)}
    assert {item.connection for item in server.asked} == {server.asked[0].connection}, "one connection is kept"
    assert all("keep_alive" not in item.body for item in server.asked), (
        "how long a model stays is the server's business"
    )


def test_nothing_is_asked_for_no_texts(server: FakeOllama, embedder: Embedder) -> None:
    assert list(embedder.vectors([])) == []
    assert server.asked == []


def test_texts_that_no_model_could_read_are_made_readable(server: FakeOllama, embedder: Embedder) -> None:
    found = all_of(embedder, ["", "\ud800 x", "a" * 100_000, "\0\x1b\u2028", "日本" * 5000])
    assert len(found) == 5
    assert server.texts == [" ", "? x", "a" * TEXT_LIMIT, "\0\x1b\u2028", ("日本" * 5000)[:TEXT_LIMIT]]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(), max_size=12), max_size=10))
def test_any_text_gets_the_vector_of_what_was_sent(server: FakeOllama, embedder: Embedder, texts: list[str]) -> None:
    server.asked.clear()
    assert all_of(embedder, texts) == [vector_of(text) for text in server.texts]
    assert len(server.texts) == len(texts)
    assert all(server.texts)


@pytest.mark.parametrize("name", [MODEL, f"{MODEL}:latest"])
def test_a_model_is_known_with_or_without_its_tag(server: FakeOllama, name: str) -> None:
    with closing(Embedder(server.url, name)) as embedder:
        assert embedder.digest() == DIGEST


def test_a_model_of_another_tag_is_another_model(server: FakeOllama) -> None:
    server.models = {f"{MODEL}:v2": DIGEST, "evil\x1b[2J:latest": DIGEST}
    with closing(Embedder(server.url, MODEL)) as embedder, pytest.raises(NotFoundError) as caught:
        embedder.digest()
    assert repr(MODEL) in caught.value.message
    assert server.url in caught.value.message
    assert f"{MODEL}:v2" in caught.value.message
    assert r"evil\x1b[2J:latest" in caught.value.message
    assert "ollama pull" in caught.value.hint


def test_a_server_without_models_says_so(server: FakeOllama, embedder: Embedder) -> None:
    server.models = {}
    with pytest.raises(NotFoundError, match="none at all"):
        embedder.digest()


def test_an_address_below_a_path(server: FakeOllama) -> None:
    with closing(Embedder(f"{server.url}/ollama", MODEL)) as embedder, pytest.raises(UnreachableError, match="404"):
        embedder.digest()
    assert server.asked[0].path == "/ollama/api/tags"


def test_no_proxy_and_no_password_of_the_environment_is_used(
    server: FakeOllama, embedder: Embedder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login operator password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    with FakeOllama() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "socks5://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
        assert embedder.digest() == DIGEST
        assert all_of(embedder, TEXTS) == [vector_of(text) for text in TEXTS]
        assert proxy.asked == []
    assert all("authorization" not in item.headers for item in server.asked)


# ---- what goes wrong ---------------------------------------------------------------------------------------------------

TAGS = {
    "another path": (instead("404 Not Found", "404 page not found", "text/plain"), "answered 404 to /api/tags"),
    "html error": (instead("500 Internal Server Error", PAGE, "text/html"), "answered 500"),
    "captive portal": (instead("200 OK", PAGE, "text/html"), "answered 200"),
    "proxy": (instead("502 Bad Gateway", "", "text/html"), "answered 502 to /api/tags: nothing"),
    "host header": (instead("403 Forbidden", ""), "answered 403 to /api/tags: nothing"),
    "moved": (instead("307 Temporary Redirect", ""), "answered 307"),
    "error without words": (instead("500 Internal Server Error", "{}"), "answered 500 to /api/tags: nothing"),
    "error as an object": (instead("500 Internal Server Error", '{"error":{"message":"out of memory"}}'), "out of memory"),
    "not utf-8": (instead("200 OK", b'{"models":"\xff"}'), "answered 200"),
    "deep": (instead("200 OK", "[" * 200_000), "answered 200"),
    "cut": (Fault(lambda right: right[:-20], hang_up=True), "broke off"),
    "cut in the head": (Fault(lambda right: right[:30], hang_up=True), "broke off"),
    "chunk cut": (
        raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{"models":['),
        "broke off",
    ),
    "no http": (raw(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), "broke off"),
    "no gzip": (
        raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"),
        "broke off",
    ),
    "silent": (Fault(lambda _: b"", hang_up=True), "broke off"),
    "reset": (Fault(lambda _: b"", reset=True), "broke off"),
    "another service": (instead("200 OK", '{"status":"ok"}'), ""),
    "a list": (instead("200 OK", "[]"), ""),
    "models is a number": (instead("200 OK", '{"models":5}'), ""),
    "null": (instead("200 OK", "null"), ""),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "words"), TAGS.values(), ids=TAGS)
def test_a_server_that_does_not_list_its_models(
    server: FakeOllama, embedder: Embedder, fault: Fault, words: str
) -> None:
    """None of these may look like a server that lacks the model."""
    server.faults = [replace(fault)]
    with pytest.raises(UnreachableError) as caught:
        embedder.digest()
    assert_told(caught.value, server.url, words)


def with_vectors(*vectors: object) -> Fault:
    """An answer with these vectors."""
    return altered(lambda body: {**body, "embeddings": list(vectors)}, path="/api/embed")


FINE = [0.5] * 4
EMBED = {
    "too few": with_vectors(FINE, FINE),
    "too many": with_vectors(FINE, FINE, FINE, FINE),
    "empty": with_vectors([], [], []),
    "null": with_vectors(FINE, None, FINE),
    "null inside": with_vectors(FINE, [0.5, None, 0.5, 0.5], FINE),
    "nan": with_vectors(FINE, [0.5, float("nan"), 0.5, 0.5], FINE),
    "infinite": with_vectors(FINE, [0.5, float("inf"), 0.5, 0.5], FINE),
    "no float holds it": with_vectors(FINE, [0.5, 10**400, 0.5, 0.5], FINE),
    "strings": with_vectors(FINE, ["0.5"] * 4, FINE),
    "one string": with_vectors(FINE, "0.5", FINE),
    "truth": with_vectors(FINE, [True] * 4, FINE),
    "nested": with_vectors(FINE, [[0.5] * 4], FINE),
    "an object": with_vectors(FINE, {"0": 0.5}, FINE),
    "the old field": altered(lambda _: {"embedding": FINE}),
    "vectors are null": altered(lambda body: {**body, "embeddings": None}),
    "error with success": instead("200 OK", '{"error":"llama runner process has terminated"}'),
}


@pytest.mark.parametrize("fault", EMBED.values(), ids=EMBED)
def test_what_is_no_vector_is_refused(server: FakeOllama, embedder: Embedder, fault: Fault) -> None:
    server.faults = [replace(fault)]
    with pytest.raises(UnreachableError) as caught:
        all_of(embedder, TEXTS)
    assert_told(caught.value, server.url, "did not answer with 3 vectors for 3 texts")


@pytest.mark.parametrize(
    "fault",
    [
        altered(lambda body: {**body, "embeddings": [*body["embeddings"][:-1], FINE]}),
        altered(lambda body: {**body, "embeddings": [vector[:8] for vector in body["embeddings"]]}, skip=1),
    ],
    ids=["in one answer", "in two answers"],
)
def test_vectors_of_two_lengths_are_refused(server: FakeOllama, embedder: Embedder, fault: Fault) -> None:
    server.faults = [replace(fault)]
    with pytest.raises(UnreachableError) as caught:
        all_of(embedder, [f"line {i}" for i in range(BATCH + 2)])
    assert_told(caught.value, server.url, "")


def assert_told(error: ImmunosError, url: str, words: str) -> None:
    """The sentence names the address and what happened, and holds nothing that steers a terminal."""
    assert url in error.message
    assert words in error.message
    assert clean(str(error)) == str(error)
    assert len(str(error)) < 600
    assert error.hint


def test_nobody_there(server: FakeOllama, embedder: Embedder) -> None:
    server.stop()
    for ask in (embedder.digest, lambda: all_of(embedder, TEXTS)):
        with pytest.raises(UnreachableError) as caught:
            ask()
        assert_told(caught.value, server.url, "No Ollama server answers")
        assert "ollama serve" in caught.value.hint
        assert 'profile = "lite"' in caught.value.hint
        assert caught.value.exit_code == 3
    server.start()
    assert embedder.digest() == DIGEST, "the same client goes on once the server is back"


def test_the_server_goes_down_between_two_batches(server: FakeOllama, embedder: Embedder) -> None:
    server.faults = [Fault(path="/api/embed", skip=1, die=True)]
    parts = embedder.vectors([f"line {i}" for i in range(BATCH + 2)])
    assert len(next(parts)) == BATCH
    with pytest.raises(UnreachableError, match="No Ollama server answers"):
        next(parts)


@pytest.mark.parametrize("where", ["/api/tags", "/api/embed"])
def test_a_server_that_stalls(
    server: FakeOllama, monkeypatch: pytest.MonkeyPatch, slept: list[float], where: str
) -> None:
    monkeypatch.setattr(embeddings, "READ_SECONDS", 0.1)
    server.faults = [Fault(path=where, stall=True)]
    with closing(Embedder(server.url, MODEL)) as embedder, pytest.raises(UnreachableError) as caught:
        embedder.digest()
        all_of(embedder, TEXTS)
    assert_told(caught.value, server.url, "did not answer in time")
    assert slept == []
    assert [item.path for item in server.asked].count(where) == 1, "a slow server is not asked twice"


def test_the_model_goes_away(server: FakeOllama, embedder: Embedder) -> None:
    del server.models[f"{MODEL}:latest"]
    with pytest.raises(NotFoundError) as caught:
        all_of(embedder, TEXTS)
    assert_told(caught.value, server.url, repr(MODEL))
    assert "try pulling it first" in caught.value.message
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Internal Server Error", "501 Not Implemented"])
def test_a_model_that_makes_no_vectors(server: FakeOllama, embedder: Embedder, status: str) -> None:
    server.faults = [instead(status, '{"error":"this model does not support embeddings"}')]
    with pytest.raises(DataError) as caught:
        all_of(embedder, TEXTS)
    assert repr(MODEL) in caught.value.message
    assert "does not support embeddings" in caught.value.message
    assert "ollama.embed_model" in caught.value.hint


def test_an_error_of_the_server_is_told_in_its_words(server: FakeOllama, embedder: Embedder) -> None:
    server.faults = [instead("500 Internal Server Error", '{"error":"llama runner process has terminated: exit 2"}')]
    with pytest.raises(UnreachableError) as caught:
        all_of(embedder, TEXTS)
    assert_told(caught.value, server.url, "answered 500 to /api/embed: llama runner process has terminated: exit 2")
    assert len(server.asked) == 1


# ---- what is tried again -----------------------------------------------------------------------------------------------


def test_a_busy_server_is_asked_again(server: FakeOllama, embedder: Embedder, slept: list[float]) -> None:
    server.faults = [instead("503 Service Unavailable", BUSY, times=3)]
    assert all_of(embedder, TEXTS) == [vector_of(text) for text in TEXTS]
    assert slept == [0.5, 1.0, 2.0]
    assert server.texts == TEXTS * 4


def test_a_server_that_stays_busy(server: FakeOllama, embedder: Embedder, slept: list[float]) -> None:
    server.faults = [instead("503 Service Unavailable", BUSY)]
    with pytest.raises(UnreachableError) as caught:
        all_of(embedder, TEXTS)
    assert_told(caught.value, server.url, "server busy")
    assert len(server.asked) == BUSY_TRIES
    assert len(slept) == BUSY_TRIES - 1
    assert sum(slept) < 30


def test_busy_with_a_page_instead_of_json(server: FakeOllama, embedder: Embedder, slept: list[float]) -> None:
    server.faults = [instead("503 Service Unavailable", PAGE, "text/html", times=1)]
    assert embedder.digest() == DIGEST
    assert slept == [0.5]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(times=1, hang_up=True),
        Fault(times=1, reset=True),
        Fault(lambda _: b"", skip=1, times=1, hang_up=True),
        Fault(lambda _: b"", skip=1, times=1, reset=True),
    ],
    ids=["closed while idle", "reset while idle", "closed instead of the answer", "reset instead of the answer"],
)
def test_a_kept_connection_that_is_gone_is_made_again(server: FakeOllama, embedder: Embedder, fault: Fault) -> None:
    server.faults = [replace(fault)]
    assert embedder.digest() == DIGEST
    assert all_of(embedder, TEXTS) == [vector_of(text) for text in TEXTS]
    assert len({item.connection for item in server.asked}) == 2


def test_a_connection_is_made_again_once(server: FakeOllama, embedder: Embedder, slept: list[float]) -> None:
    assert embedder.digest() == DIGEST
    server.faults = [Fault(lambda _: b"", times=2, hang_up=True)]
    with pytest.raises(UnreachableError) as caught:
        all_of(embedder, TEXTS)
    assert_told(caught.value, server.url, "broke off")
    assert server.texts == TEXTS * 2
    assert slept == []


def test_each_request_may_be_dropped_once(server: FakeOllama, embedder: Embedder) -> None:
    texts = [f"line {i}" for i in range(2 * BATCH)]
    server.faults = [Fault(lambda _: b"", times=1, hang_up=True), Fault(lambda _: b"", skip=1, times=1, hang_up=True)]
    assert all_of(embedder, texts) == [vector_of(text) for text in texts]


# ---- captured answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [0, 1, 7, 997])
def test_captured_answers_are_understood(
    server: FakeOllama, embedder: Embedder, shared_data: Path, pieces: int
) -> None:
    wire = shared_data / "ollama-wire"
    server.faults = [
        raw((wire / "embed.http").read_bytes(), path="/api/embed", pieces=pieces, times=1),
        raw((wire / "err404.http").read_bytes(), path="/api/embed", times=1),
        raw((wire / "tags.http").read_bytes(), path="/api/tags", pieces=pieces),
    ]
    first, second = all_of(embedder, ["hi", "there"])
    assert len(first) == len(second) == 64
    assert first[:2] == [0.053023994, -0.2705173]
    assert sum(part * part for part in second) == pytest.approx(1, abs=1e-4)
    with pytest.raises(NotFoundError, match="model 'nope' not found"):
        all_of(embedder, ["hi"])
    with closing(Embedder(server.url, "tiny-nel")) as other:
        assert other.digest() == "317c8038690118655316c5bd4d12020b58f7fa82d643c1ce3af31563a581f353"


@pytest.mark.parametrize("name", ["err400", "err403host", "err404route", "err405", "err307", "version", "status"])
def test_captured_answers_that_list_no_models(
    server: FakeOllama, embedder: Embedder, shared_data: Path, name: str
) -> None:
    server.faults = [raw((shared_data / "ollama-wire" / f"{name}.http").read_bytes())]
    with pytest.raises(UnreachableError) as caught:
        embedder.digest()
    assert_told(caught.value, server.url, "")


# ---- offline mode ------------------------------------------------------------------------------------------------------

ASK = """
import sys
from immunos_tui.llm import egress
from immunos_tui.llm.embeddings import Embedder
from immunos_tui.model.errors import ImmunosError
egress.guard(True)
for url in sys.argv[1:]:
    try:
        print("answered", Embedder(url, "tiny-embed").digest())
    except ImmunosError as error:
        print(type(error).__name__, error)
print(egress.refused())
"""


def test_offline_mode_lets_only_loopback_through(server: FakeOllama) -> None:
    """In a process of its own, since the guard cannot be taken out again."""
    far = ["192.0.2.1", "gpu.lan", "2001:db8::1"]
    urls = [f"http://{f'[{host}]' if ':' in host else host}:11434" for host in far]
    done = subprocess.run([sys.executable, "-c", ASK, *urls, server.url], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    for host, line in zip(far, lines, strict=False):
        assert line.startswith(f"UnreachableError Offline mode refuses a connection to {host};")
        assert "network.allow" in line
    assert lines[len(far) :] == [f"answered {DIGEST}", str(len(far))]


# ---- a real server -----------------------------------------------------------------------------------------------------


def made_model(tool: Path, folder: Path) -> Path:
    """A tiny embedding model; skips where the tool or what it needs is missing."""
    if not tool.is_file():
        pytest.skip(f"there is no {tool}")
    if subprocess.run([GGUF_PYTHON, "-c", "import gguf"], capture_output=True, check=False).returncode:
        pytest.skip(f"{GGUF_PYTHON} has no package gguf; IMMUNOS_GGUF_PYTHON names another interpreter")
    path = folder / "tiny-embed.gguf"
    subprocess.run([GGUF_PYTHON, str(tool), "embed", str(path), "--ctx", "512"], check=True, capture_output=True)
    return path


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def real(tmp_path: Path, shared_data: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of an Ollama of the test's own with a tiny embedding model, and its process."""
    if not OLLAMA or not Path(OLLAMA).is_file():
        pytest.skip("there is no ollama; IMMUNOS_OLLAMA names one")
    model = made_model(shared_data.parent / "tools/make_tiny_gguf.py", tmp_path)
    port = free_port()
    own = {"HOME": str(tmp_path), "OLLAMA_MODELS": str(tmp_path / "models"), "OLLAMA_HOST": f"127.0.0.1:{port}"}
    log = (tmp_path / "ollama.log").open("wb")
    process = subprocess.Popen(
        [OLLAMA, "serve"], env={**os.environ, **own, "OLLAMA_NO_CLOUD": "1"}, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        with log, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
            until_up(client, process, tmp_path / "ollama.log")
            content = model.read_bytes()
            name = f"sha256:{sha256(content).hexdigest()}"
            client.post(f"/api/blobs/{name}", content=content).raise_for_status()
            asked = {"model": MODEL, "files": {model.name: name}, "stream": False}
            client.post("/api/create", json=asked).raise_for_status()
        yield url, process
    finally:
        end(process)


def until_up(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        with suppress(httpx.HTTPError):
            if client.get("/api/version").is_success:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"ollama serve does not come up: {log.read_text(errors='replace')[-400:]}")
        time.sleep(0.02)


def end(process: subprocess.Popen[bytes]) -> None:
    """End the server and its runners: all that are in its process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)


def test_a_real_ollama(real: tuple[str, subprocess.Popen[bytes]]) -> None:
    url, process = real
    texts = ["the cat", "a dog ran", "the cat and the dog"]
    odd = ["", "\ud800", "\0\x1b\u0085", "a" * 100_000, texts[2]]
    with closing(Embedder(url, MODEL)) as embedder:
        assert len(embedder.digest()) == 64
        found = all_of(embedder, texts)
        assert {len(vector) for vector in found} == {64}
        assert found == all_of(embedder, texts), "the same texts give the same vectors, bit for bit"
        strange = all_of(embedder, odd)
        assert {len(vector) for vector in strange} == {64}
        assert strange[-1] == pytest.approx(found[2], abs=1e-5), "whatever comes with them"
        assert sum(a * b for a, b in zip(found[0], found[1], strict=True)) < 0.9999
    with closing(Embedder(url, "nope")) as other:
        with pytest.raises(NotFoundError, match=f"{MODEL}:latest"):
            other.digest()
        with pytest.raises(NotFoundError, match="'nope'"):
            all_of(other, ["hi"])
    end(process)
    with pytest.raises(UnreachableError, match="No Ollama server answers"):
        all_of(embedder, ["hi"])
