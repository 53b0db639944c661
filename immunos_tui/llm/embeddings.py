"""Dense vectors of texts from the embedding model of an Ollama server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from immunos_tui.llm.egress import EgressRefused, refusal
from immunos_tui.model.errors import DataError, NotFoundError, UnreachableError
from immunos_tui.model.text import clean

if TYPE_CHECKING:
    import httpx

BATCH = 64
"""Texts of one request."""
TEXT_LIMIT = 8192
"""Characters of a text that are sent; the model itself cuts at its context."""
READ_SECONDS = 600.0
"""A model that is loaded from a slow disk takes minutes, and a client that gives up makes the server begin again."""
CONTROL_SECONDS = 10.0
"""What needs no model is answered at once, or not at all."""
BUSY_TRIES = 6
"""How often a busy server is asked, with a pause that doubles from half a second."""

LARGEST = 3.4e38
"""What a number of a vector may be at most: beyond it lies what a float of four bytes does not hold."""

_WITHOUT = 'Or set profile = "lite" and train without vectors.'


class Embedder:
    """One embedding model of one server, over a connection that is kept. Every fault is an ImmunosError."""

    def __init__(self, url: str, model: str) -> None:
        self.url, self.model = url, model
        self.width = 0
        """The length of the vectors, 0 until one was seen."""
        self._client: httpx.Client | None = None

    def digest(self) -> str:
        """What the server says the model's content is; NotFoundError where it has no such model."""
        body = self._ask("GET", "/api/tags")
        listed = body.get("models") if isinstance(body, dict) else None
        if not isinstance(listed, list):
            raise UnreachableError(f"{self.url} did not answer with a list of models.", "Is it an Ollama server?")
        models = [item for item in listed if isinstance(item, dict)]
        wanted = {self.model, f"{self.model}:latest"}
        for item in models:
            if item.get("name") in wanted or item.get("model") in wanted:
                return clean(item.get("digest", ""), 80)
        names = ", ".join(clean(item.get("name", "?"), 60) for item in models[:8]) or "none at all"
        raise NotFoundError(
            f"The Ollama server {self.url} has no model {clean(self.model, 80)!r}; it has {names}.",
            f"Bring it there with `ollama pull`, or name another as ollama.embed_model. {_WITHOUT}",
        )

    def vectors(self, texts: Sequence[str]) -> Iterator[list[list[float]]]:
        """The vectors of ``texts`` in their order, some at a time, each of the same length and finite.

        Raises UnreachableError where the server does not answer or not as Ollama does, NotFoundError where the model is gone,
        DataError where the model makes no vectors.
        """
        for start in range(0, len(texts), BATCH):
            # An empty input makes no token and so no vector; a lone surrogate is no UTF-8.
            part = [
                text[:TEXT_LIMIT].encode("utf-8", "replace").decode() or " " for text in texts[start : start + BATCH]
            ]
            yield self._checked(self._ask("POST", "/api/embed", {"model": self.model, "input": part}), len(part))

    def _checked(self, body: Any, count: int) -> list[list[float]]:
        found = body.get("embeddings") if isinstance(body, dict) else None
        if not isinstance(found, list) or len(found) != count or not all(map(_is_vector, found)):
            raise UnreachableError(
                f"{self.url} did not answer with {count} vectors for {count} texts.", "Is it an Ollama server?"
            )
        self.width = self.width or len(found[0])
        if other := next((len(vector) for vector in found if len(vector) != self.width), 0):
            raise UnreachableError(
                f"{self.url} gave vectors of {self.width} and of {other} numbers.",
                "Is it one model of one Ollama server?",
            )
        return found

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        import httpx  # noqa: PLC0415 - 90 ms, and only where vectors are wanted

        dropped = False
        for attempt in range(BUSY_TRIES):
            try:
                patience = READ_SECONDS if body else CONTROL_SECONDS
                answer = self._connected().request(method, path, json=body, timeout=_timeout(patience))
            except (EgressRefused, httpx.ConnectError) as error:
                if refused := refusal(error):
                    raise UnreachableError(str(refused)) from error
                hint = f"Start it with `ollama serve`, or set ollama.url. {_WITHOUT}"
                raise UnreachableError(f"No Ollama server answers at {self.url}.", hint) from error
            except httpx.TimeoutException as error:
                raise UnreachableError(f"The Ollama server {self.url} did not answer in time.", _WITHOUT) from error
            except httpx.HTTPError as error:
                if not dropped:  # a kept connection that the server had closed meanwhile
                    dropped = True
                    continue
                reason = clean(error, 160) or type(error).__name__
                raise UnreachableError(f"The Ollama server {self.url} broke off: {reason}.", _WITHOUT) from error
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or attempt == BUSY_TRIES - 1:
                return self._read(answer, path)
            time.sleep(0.5 * 2**attempt)
        raise UnreachableError(f"The Ollama server {self.url} is busy.", "Try again later.")

    def _read(self, answer: httpx.Response, path: str) -> Any:
        try:
            body = answer.json()
        except (ValueError, RecursionError):
            body = None
        if answer.is_success and body is not None:
            return body
        said = clean((body.get("error") if isinstance(body, dict) else answer.text) or "nothing", 200)
        if answer.status_code == 404 and path == "/api/embed":
            raise NotFoundError(
                f"The Ollama server {self.url} has no model {clean(self.model, 80)!r}: {said}.", _WITHOUT
            )
        if "support" in said and "embed" in said:
            raise DataError(
                f"The model {clean(self.model, 80)!r} makes no vectors: {said}.",
                "Name an embedding model as ollama.embed_model, such as nomic-embed-text.",
            )
        raise UnreachableError(
            f"The Ollama server {self.url} answered {answer.status_code} to {path}: {said}.", _WITHOUT
        )

    def _connected(self) -> httpx.Client:
        import httpx  # noqa: PLC0415 - see _ask

        if self._client is None:
            # No proxies and no netrc: the server is on this host or named by the operator.
            self._client = httpx.Client(
                base_url=self.url,
                trust_env=False,
                verify=self.url.startswith("https"),
            )
        return self._client

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _timeout(read: float) -> httpx.Timeout:
    import httpx  # noqa: PLC0415 - see _ask

    return httpx.Timeout(connect=5, write=60, pool=5, read=read)


def _is_vector(found: Any) -> bool:
    return (
        isinstance(found, list) and len(found) > 0 and all(type(n) in (float, int) and abs(n) <= LARGEST for n in found)
    )
