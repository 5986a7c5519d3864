"""ASGI 3: Starlette, FastAPI, Quart, Django, and whatever else a server of it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from .assertion import HEADER, AssertionRefused, Request
from .verifier import KeysUnavailable, Verifier, refusal

_Scope = dict[str, Any]
_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]
_NAME = HEADER.lower().encode()


class LockstepASGI:
    """
    Lets in whoever comes with a statement of the gateway's that holds for the request, as `scope["state"]["lockstep"]`
    (Starlette: `request.state.lockstep`); everybody else is told 401, or closed with 1008 where they ask for a WebSocket.
    The server must say what it has received: without `raw_path` nobody is let in.
    """

    def __init__(self, app: Callable[[_Scope, _Receive, _Send], Awaitable[None]], verifier: Verifier) -> None:
        self._app = app
        self._verifier = verifier

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            if scope["type"] not in ("http", "websocket"):
                raise AssertionRefused("it is for no protocol that is known here")
            assertions, request = _received(scope)
            identity = await asyncio.to_thread(self._verifier.verify, assertions, request)
        except (AssertionRefused, KeysUnavailable) as error:
            await _refuse(scope, receive, send, error)
            return
        headers = [(name, value) for name, value in scope["headers"] if _folded(name) != _NAME]
        state = {**(scope.get("state") or {}), "lockstep": identity}
        await self._app({**scope, "headers": headers, "state": state}, receive, send)


def _folded(name: bytes) -> bytes:
    """As a server or framework may read it that takes `_` for `-`."""
    return name.lower().replace(b"_", b"-")


def _received(scope: _Scope) -> tuple[list[str], Request]:
    raw_path = scope.get("raw_path")
    if not isinstance(raw_path, bytes) or not raw_path.startswith(b"/"):
        raise AssertionRefused("the server does not say which path it has received (raw_path)")
    # The specification leaves the query out of it; servers have had it both ways.
    path = raw_path.split(b"?", 1)[0]
    query = scope.get("query_string") or b""
    target = path + b"?" + query if query else path
    assertions = [value.decode("latin-1") for name, value in scope["headers"] if _folded(name) == _NAME]
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"host"]
    if len(hosts) != 1:
        raise AssertionRefused("there is not exactly one host")
    method = scope.get("method", "GET")
    return assertions, Request(method, hosts[0], target.decode("latin-1"))


async def _refuse(scope: _Scope, receive: _Receive, send: _Send, error: Exception) -> None:
    status, body = refusal(error)
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "Only Lockstep's gateway may ask."})
        return
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
