"""Puts a token on each request, and answers a 401 with a new one, once."""

import ipaddress
import os
import re
from urllib.parse import urlsplit

from requests.auth import AuthBase

from lockstep_mlflow.tokens import Tokens


class LockstepAuth(AuthBase):
    """An auth object of `requests`; one serves all threads of a process."""

    def __init__(self, tokens=None, environ=os.environ):
        self._tokens = Tokens(environ) if tokens is None else tokens
        self._environ = environ

    def __call__(self, request):
        resource = self._resource(request.url)
        origin = _origin(urlsplit(request.url))
        request.headers["Authorization"] = f"Bearer {self._tokens.get(resource)}"
        position = _position(request.body)

        def again(response, **kwargs):
            if response.status_code != 401:
                return response
            # `requests` follows redirects with the same hooks, and took the token away for another origin.
            if not _sent(response.request) or _origin(urlsplit(response.request.url)) != origin:
                return response
            fresh = self._tokens.get(resource, refused=_sent(response.request))
            if fresh == _sent(response.request) or not _rewind(response.request.body, position):
                return response
            # Frees the connection for the second try.
            response.content
            response.close()
            repeated = response.request.copy()
            repeated.headers["Authorization"] = f"Bearer {fresh}"
            # Once: what is refused again is the answer.
            repeated.hooks["response"] = []
            answer = response.connection.send(repeated, **kwargs)
            answer.history.append(response)
            answer.request = repeated
            return answer

        request.register_hook("response", again)
        return request

    def _resource(self, url):
        """The audience of tokens for an address; refuses addresses that are nobody's business to see one."""
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
            raise ValueError(f"no token is sent to {parts.scheme}://{parts.hostname}: it is not https")
        trusted = [self._environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")]
        origins = {_origin(urlsplit(uri)) for uri in trusted if uri}
        if origins and _origin(parts) not in origins:
            raise ValueError(f"no token is sent to {parts.hostname}: it is not the tracking server")
        given = self._environ.get("LOCKSTEP_MLFLOW_RESOURCE")
        if given:
            return given
        beneath = re.match(r"/connections/([a-z][a-z0-9-]{0,40})(?:/|$)", parts.path)
        name = beneath[1] if beneath else (parts.hostname or "").split(".")[0]
        return f"api://lockstep/connections/{name}"


def _origin(parts):
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, (parts.hostname or "").lower(), port


def _is_loopback(host):
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _sent(request):
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def _position(body):
    try:
        return body.tell()
    except (AttributeError, OSError):
        return None


def _rewind(body, position):
    """Whether the body can be sent a second time."""
    if body is None or isinstance(body, (bytes, str)):
        return True
    if position is None:
        return False
    try:
        body.seek(position)
    except (AttributeError, OSError):
        return False
    return True
