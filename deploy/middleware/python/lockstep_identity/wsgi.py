"""WSGI (PEP 3333): Flask, Django, Pyramid, and whatever else a server of it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .assertion import AssertionRefused, Request
from .verifier import KeysUnavailable, Verifier, refusal

_HEADER = "HTTP_X_LOCKSTEP_ASSERTION"
#: As received, by servers: gunicorn and werkzeug; uWSGI, mod_wsgi and others. PATH_INFO has lost what was escaped.
_RAW = ("RAW_URI", "REQUEST_URI")


class LockstepWSGI:
    """
    Lets in whoever comes with a statement of the gateway's that holds for the request, as `environ["lockstep.identity"]`;
    everybody else is told 401. The server must say what it has received: one that gives neither RAW_URI nor REQUEST_URI lets
    nobody in.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], verifier: Verifier) -> None:
        self._app = app
        self._verifier = verifier

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # What is written with underscores is folded into this by servers, and joined by a comma with a second one.
        assertion = environ.pop(_HEADER, None)
        environ.pop("lockstep.identity", None)
        try:
            environ["lockstep.identity"] = self._verifier.verify(
                [] if assertion is None else assertion.split(","), _request_of(environ)
            )
        except (AssertionRefused, KeysUnavailable) as error:
            status, body = refusal(error)
            line = "401 Unauthorized" if status == 401 else "503 Service Unavailable"
            headers = [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
            ]
            start_response(line, headers)
            return [body]
        return self._app(environ, start_response)


def _request_of(environ: dict[str, Any]) -> Request:
    target = next((environ[name] for name in _RAW if isinstance(environ.get(name), str)), None)
    if target is None:
        raise AssertionRefused("the server does not say which path it has received (RAW_URI or REQUEST_URI)")
    if not target.startswith("/"):
        raise AssertionRefused("the request is not for a path")
    return Request(environ.get("REQUEST_METHOD", ""), environ.get("HTTP_HOST", ""), target)
