"""From the headers of a request to who is asking, or a refusal."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from .assertion import AssertionRefused, Request, key_id, verify_assertion
from .identity import Identity
from .keys import Keys
from .replay import UsedOnce

log = logging.getLogger("lockstep_identity")


class KeysUnavailable(Exception):
    """Lockstep's keys have never been fetched: nobody can be believed yet."""


class Verifier:
    """
    `issuer` is Lockstep's, `{public URL}/{tenant}/v2.0`; `audience` the name of the connection. With `once`, a
    statement is believed once in this process; the gateway repeats a request that found a closed connection, and then the
    statement with it.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        jwks_url: str,
        ca_file: str = "",
        leeway_seconds: float = 5,
        once: bool = False,
        keys: Keys | None = None,
    ) -> None:
        if not issuer or not audience:
            raise ValueError("issuer and audience must be given")
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway_seconds
        self._keys = keys if keys is not None else Keys(jwks_url, ca_file=ca_file)
        self._used = UsedOnce() if once else None

    def verify(self, assertions: Sequence[str], request: Request) -> Identity:
        """Blocking, for it may fetch keys. Raises AssertionRefused or KeysUnavailable."""
        if len(assertions) != 1:
            raise AssertionRefused("there is not exactly one statement")
        [assertion] = assertions
        try:
            key = self._keys.key(key_id(assertion))
        except (OSError, ValueError) as error:
            raise KeysUnavailable(str(error)) from error
        if key is None:
            raise AssertionRefused("its key is not one of Lockstep's")
        claims = verify_assertion(
            assertion,
            key,
            issuer=self._issuer,
            audience=self._audience,
            request=request,
            leeway_seconds=self._leeway,
        )
        if self._used is not None and not self._used.use(claims["jti"], claims["exp"] + self._leeway):
            raise AssertionRefused("it was used before")
        return Identity.of(claims)


def refusal(error: Exception) -> tuple[int, bytes]:
    """The status and JSON that a client is told; why is for the log alone."""
    if isinstance(error, KeysUnavailable):
        log.error("Lockstep's keys cannot be fetched: %s", error)
        code, message, status = "KeysUnavailable", "Who is asking cannot be checked at the moment.", 503
    else:
        log.warning("A statement of identity was refused: %s", error)
        code, message, status = "AuthenticationFailed", "Only Lockstep's gateway may ask, and for this very request.", 401
    return status, json.dumps({"error": {"code": code, "message": message}}).encode()
