"""What the identity providers of jupyter-server have in common: whoever Lockstep says is asking."""

from __future__ import annotations

from jupyter_server.auth.identity import User
from tornado import web

from lockstep_identity import Identity

from .believing import Believing


class BelievingServer(Believing):
    """For a class that is an IdentityProvider besides: its users are whom Lockstep names, and there is no sign-in."""

    @property
    def auth_enabled(self) -> bool:
        return True

    @property
    def login_available(self) -> bool:
        return False

    @property
    def logout_available(self) -> bool:
        return False

    async def get_user(self, handler: web.RequestHandler) -> User | None:
        known = getattr(handler, "_jupyter_current_user", None)
        if known is not None:
            return known
        identity = await self.stated(handler.request)
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
