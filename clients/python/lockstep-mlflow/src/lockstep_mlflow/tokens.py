"""Where tokens come from, and for how long one is kept."""

import os
import threading
import time
from dataclasses import dataclass

import requests


class NoTokenError(RuntimeError):
    """There is no token to be had; says where one was looked for."""


@dataclass(frozen=True)
class Token:
    text: str
    #: Seconds since the epoch at which it is to be renewed, and at which it is worth nothing.
    renew_at: float
    expires_at: float


class Tokens:
    """Tokens by resource. A file is read each time; what the identity endpoint gives is kept for half of its life."""

    def __init__(self, environ=os.environ, clock=time.time):
        self._environ = environ
        self._clock = clock
        self._lock = threading.Lock()
        self._kept = {}

    def get(self, resource, refused=None):
        """A token for the resource, another one than `refused` if there is one. Raises NoTokenError."""
        path = self._environ.get("LOCKSTEP_TOKEN_FILE")
        if path:
            return _read(path)
        # One at a time: many threads of one run need one token, not many.
        with self._lock:
            kept = self._kept.get(resource)
            now = self._clock()
            if kept is not None and kept.text != refused and now < kept.renew_at:
                return kept.text
            try:
                fresh = self._fetch(resource)
            except (requests.RequestException, NoTokenError, ValueError, KeyError) as error:
                # Retried when it has lapsed or, before that, a little later.
                if kept is not None and kept.text != refused and now < kept.expires_at:
                    self._kept[resource] = Token(kept.text, min(now + 1, kept.expires_at), kept.expires_at)
                    return kept.text
                if isinstance(error, NoTokenError):
                    raise
                raise NoTokenError(f"the identity endpoint gave no token for {resource}: {error}") from error
            self._kept[resource] = fresh
            return fresh.text

    def _fetch(self, resource):
        endpoint = self._environ.get("IDENTITY_ENDPOINT")
        secret = self._environ.get("IDENTITY_HEADER")
        if not endpoint or not secret:
            raise NoTokenError(
                "there is neither LOCKSTEP_TOKEN_FILE nor IDENTITY_ENDPOINT with IDENTITY_HEADER: "
                "outside of a job, name a file that holds a token"
            )
        with requests.Session() as session:
            # The endpoint is on this machine: no proxy is to see the secret, and no .netrc to take its place.
            session.trust_env = False
            answer = session.get(
                endpoint,
                params={"api-version": "2019-08-01", "resource": resource},
                headers={"X-IDENTITY-HEADER": secret},
                timeout=30,
                allow_redirects=False,
            )
        if answer.status_code != 200:
            raise NoTokenError(f"the identity endpoint answered {answer.status_code}: {answer.text[:500]}")
        body = answer.json()
        now = self._clock()
        expires_at = float(body["expires_on"])
        return Token(body["access_token"], now + (expires_at - now) / 2, expires_at)


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read().strip()
    except OSError as error:
        raise NoTokenError(f"LOCKSTEP_TOKEN_FILE cannot be read: {error}") from error
    if not text or any(character.isspace() for character in text):
        raise NoTokenError(f"LOCKSTEP_TOKEN_FILE ({path}) does not hold one token")
    return text
