"""What the classes here have in common: whose statements they believe."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from tornado import web
from tornado.httputil import HTTPServerRequest
from traitlets import Unicode
from traitlets.config import Configurable

from lockstep_identity import AssertionRefused, Identity, Request, Verifier
from lockstep_identity.assertion import HEADER
from lockstep_identity.verifier import KeysUnavailable


class Believing(Configurable):
    """Knows who is asking by the statement of Lockstep's gateway that comes with a request."""

    issuer = Unicode(help="Issuer of the statements: {public URL}/{tenant}/v2.0.").tag(config=True)
    audience = Unicode(help="Name of the connection.").tag(config=True)
    jwks_url = Unicode(help="Address of Lockstep's key set.").tag(config=True)
    ca_file = Unicode(help="PEM file of the authority of Lockstep's certificate, if it is its own.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("issuer", "audience", "jwks_url"):
            if not getattr(self, name):
                raise ValueError(f"c.{type(self).__name__}.{name} must be set")
        self._verifier = Verifier(
            issuer=self.issuer, audience=self.audience, jwks_url=self.jwks_url, ca_file=self.ca_file
        )
        self._asked: WeakKeyDictionary[HTTPServerRequest, asyncio.Future[Identity | None]] = WeakKeyDictionary()

    async def stated(self, received: HTTPServerRequest) -> Identity | None:
        """
        Who is asking, if exactly one statement comes with the request and holds for it. The statement is taken out of the
        request: servers write headers to their logs when something fails.
        """
        asked = self._asked.get(received)
        if asked is None:
            assertions = received.headers.get_list(HEADER)
            received.headers.pop(HEADER, None)
            asked = asyncio.ensure_future(self._verified(assertions, received))
            self._asked[received] = asked
        return await asked

    async def _verified(self, assertions: list[str], received: HTTPServerRequest) -> Identity | None:
        if len(assertions) != 1:
            return None
        request = Request(method=received.method or "", host=received.host, target=received.uri or "")
        try:
            return await asyncio.to_thread(self._verifier.verify, assertions, request)
        except AssertionRefused as refused:
            self.log.warning("A statement of identity was refused: %s", refused)
            return None
        except KeysUnavailable as error:
            raise web.HTTPError(503, "Who is asking cannot be checked at the moment.") from error
