"""The identity provider: whoever Lockstep says is asking."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.identity import IdentityProvider, User
from tornado import web
from traitlets import default

from lockstep_identity import Identity

from .believing import Believing


class LockstepIdentityProvider(Believing, IdentityProvider):
    """Lets in whoever comes with a statement of Lockstep's gateway that holds for the request, and nobody else."""

    @default("token")
    def _token_default(self) -> str:
        # There is none that could be stolen.
        return ""

    @property
    def auth_enabled(self) -> bool:
        return True

    @property
    def login_available(self) -> bool:
        return False

    @property
    def logout_available(self) -> bool:
        return False

    def get_user(self, handler: web.RequestHandler) -> Any:
        return user_of(self, handler)

    def get_user_cookie(self, handler: web.RequestHandler) -> None:
        return None

    def set_login_cookie(self, handler: web.RequestHandler, user: User) -> None:
        """There is none: each request says anew who is asking."""


async def user_of(believing: Believing, handler: web.RequestHandler) -> User | None:
    """The user of a request to a jupyter-server."""
    known = getattr(handler, "_jupyter_current_user", None)
    if known is not None:
        return known
    identity = await believing.stated(handler.request)
    if identity is None:
        return None
    # The gateway has seen to it that no other site's page is behind this request.
    handler._token_authenticated = True  # type: ignore[attr-defined]
    return _user(identity)


def _user(identity: Identity) -> User:
    name = identity.name or identity.subject
    words = [word for word in name.replace("@", " ").split() if word[0].isalnum()]
    initials = "".join(word[0] for word in words[:2]).upper()
    # Object ids do not change when names do.
    return User(username=identity.subject, name=name, display_name=name, initials=initials or None)
