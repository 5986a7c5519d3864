"""The keys that Lockstep publishes, fetched when they are needed and seldom more often."""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.request
from typing import Any

import jwt

_LARGEST = 1_000_000


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Keys come from the address that was configured, not from wherever it leads: that might not even be https."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Keys:
    """A key set by its address. Blocking: to be asked in a thread."""

    def __init__(
        self, url: str, *, ca_file: str = "", fresh_seconds: float = 300, pause_seconds: float = 5
    ) -> None:
        if not url.startswith("https://"):
            raise ValueError("the key set must be fetched over https")
        self._url = url
        https = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file or None))
        self._opener = urllib.request.build_opener(https, _NoRedirects)
        self._fresh_seconds = fresh_seconds
        self._pause_seconds = pause_seconds
        self._keys: dict[str, Any] = {}
        self._fetched_at = -float("inf")
        self._tried_at = -float("inf")
        self._lock = threading.Lock()

    def key(self, kid: str) -> Any:
        """The public key of that name, or None. Stale keys are kept when new ones cannot be had."""
        with self._lock:
            now = time.monotonic()
            stale = now - self._fetched_at > self._fresh_seconds
            # Whoever sends unknown names must not make us ask as often as they do.
            if (stale or kid not in self._keys) and now - self._tried_at > self._pause_seconds:
                self._tried_at = now
                try:
                    self._keys = self._fetch()
                    self._fetched_at = now
                except (OSError, ValueError, jwt.PyJWTError):
                    if not self._keys:
                        raise
            return self._keys.get(kid)

    def _fetch(self) -> dict[str, Any]:
        with self._opener.open(self._url, timeout=5) as answer:
            published = json.loads(answer.read(_LARGEST))
        if not isinstance(published, dict) or not isinstance(published.get("keys"), list):
            raise ValueError("what was fetched is no key set")
        usable = [
            key
            for key in published["keys"]
            if isinstance(key, dict)
            # Those that sign statements, and nothing else; the others in the set sign tokens.
            and key.get("kty") == "EC"
            and key.get("crv") == "P-256"
            and key.get("use", "sig") == "sig"
            and isinstance(key.get("kid"), str)
        ]
        names = [key["kid"] for key in usable]
        # Of two keys under one name nobody can say which is meant.
        return {
            key["kid"]: jwt.PyJWK.from_dict({**key, "alg": "ES256"}).key
            for key in usable
            if names.count(key["kid"]) == 1
        }
