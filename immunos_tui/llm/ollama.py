"""Ollama: whether the server answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from immunos_tui.llm.egress import EgressRefused, refusal
from immunos_tui.model.posture import Backend
from immunos_tui.model.text import clean

if TYPE_CHECKING:
    import httpx

TIMEOUT = 2.0
"""Seconds until a server that does not answer counts as down."""


class OllamaProbe:
    """Asks one server for its version over a connection that is kept."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: httpx.Client | None = None

    def look(self) -> Backend:
        """The server's state; a fault is a value with its reason, never an exception."""
        import httpx  # noqa: PLC0415 - 90 ms, so only the thread that polls pays for it

        try:
            if self._client is None:
                # No proxies, no netrc and no CA bundle: the server is on this host or named by the operator.
                self._client = httpx.Client(
                    base_url=self._url, timeout=TIMEOUT, trust_env=False, verify=self._url.startswith("https")
                )
            answer = self._client.get("/api/version")
            answer.raise_for_status()
            return Backend(self._url, "up", clean(answer.json()["version"], 40))
        except (EgressRefused, httpx.ConnectError) as error:
            refused = refusal(error)
            reason = str(refused) if refused else "nothing listens there; is `ollama serve` running?"
            return Backend(self._url, "down", reason=reason)
        except httpx.TimeoutException:
            return Backend(self._url, "down", reason=f"no answer within {TIMEOUT:g} s")
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            return Backend(self._url, "down", reason=f"it does not answer like Ollama: {clean(error, 120)}")

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
