"""The statement that Lockstep's gateway makes of each request, and how it is checked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any

import jwt

HEADER = "X-Lockstep-Assertion"
_TYPE = "lockstep-assertion+jwt"
_LIFETIME_SECONDS = 60
#: Where a header says that its key is, or what else must be understood: nothing of that is ever believed.
_FOREIGN = ("jwk", "jku", "x5u", "x5c", "crit", "b64")
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_KEY_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_REQUIRED = ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "method", "host", "path_sha256"]


class AssertionRefused(Exception):
    """The statement is not to be believed; the message says why, and holds nothing of it."""


@dataclass(frozen=True)
class Request:
    """The request as this server received it; `target` is path and query, byte for byte."""

    method: str
    host: str
    target: str


def key_id(assertion: str) -> str:
    """Which key has signed it, by its own word."""
    # Readers of base64url let some things pass that are not it.
    if _FORM.fullmatch(assertion) is None:
        raise AssertionRefused("it is no JWT")
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.PyJWTError as error:
        raise AssertionRefused("it is no JWT") from error
    if header.get("typ") != _TYPE:
        raise AssertionRefused("it is a token of another type")
    kid = header.get("kid")
    if not isinstance(kid, str) or _KEY_NAME.fullmatch(kid) is None:
        raise AssertionRefused("it names no key")
    if any(name in header for name in _FOREIGN):
        raise AssertionRefused("its header holds what no statement of Lockstep's holds")
    return kid


def verify_assertion(
    assertion: str, key: Any, *, issuer: str, audience: str, request: Request, leeway_seconds: float = 5
) -> dict[str, Any]:
    """Its claims, if it holds for this very request. Raises AssertionRefused."""
    key_id(assertion)
    try:
        claims = jwt.decode(
            assertion,
            key,
            algorithms=["ES256"],
            issuer=issuer,
            audience=audience,
            leeway=leeway_seconds,
            options={"require": _REQUIRED, "strict_aud": True},
        )
    # What is expected is the service's own setting: nothing of the statement.
    except jwt.InvalidIssuerError as error:
        raise AssertionRefused(f"it is not of the issuer {issuer}") from error
    except jwt.InvalidAudienceError as error:
        raise AssertionRefused(f"it is not for the audience {audience}") from error
    # Of a key that is of another kind PyJWT says so by a TypeError.
    except (jwt.PyJWTError, TypeError) as error:
        raise AssertionRefused(str(error)) from error
    if any(type(claims[name]) is not int for name in ("iat", "nbf", "exp")):
        raise AssertionRefused("its times are no whole numbers")
    if claims["exp"] - claims["iat"] > _LIFETIME_SECONDS:
        raise AssertionRefused("it is to live for longer than statements do")
    if not isinstance(claims["jti"], str) or not isinstance(claims["sub"], str):
        raise AssertionRefused("its ids are no text")
    digest = hashlib.sha256(request.target.encode("latin-1")).digest()
    path_sha256 = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    for claim, received in (
        ("method", request.method),
        ("host", request.host),
        ("path_sha256", path_sha256),
    ):
        said = claims[claim]
        if not isinstance(said, str) or not hmac.compare_digest(said.encode(), received.encode()):
            raise AssertionRefused(f"it was made for another request ({claim})")
    return claims
