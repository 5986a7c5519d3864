"""The authenticator of a JupyterHub: its users are whom Lockstep names, request by request."""

from __future__ import annotations

import re
from typing import Any

from jupyterhub.auth import Authenticator

from .believing import Believing

# Object ids, in the one spelling that Lockstep gives them: what else signs itself (the gateway) is no user.
_OBJECT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PROVIDER = "LockstepHubIdentityProvider"
_TOLD = ("issuer", "audience", "jwks_url", "ca_file")


class LockstepAuthenticator(Believing, Authenticator):
    """
    Signs in whoever comes with a statement of Lockstep's gateway that holds for the request, under their object id.

    There is no form and nobody is an administrator. The hub's own cookie is not believed by itself: each request that
    brings one is asked who it is of, so that a cookie is worth nothing in another person's browser. The servers that
    are started believe Lockstep in the same way: see LockstepHubIdentityProvider.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Who may have a server is Lockstep's to say.
        self.allow_all = True
        self.auto_login = True
        # The hub compares the age of what it knows with this: less than any age is "ask each time".
        self.auth_refresh_age = -1
        # Servers report to the hub with tokens of their own, past Lockstep and in no person's request.
        self.auth_refresh_strict = False

    async def authenticate(self, handler: Any, data: Any) -> dict[str, Any] | None:
        name = await self._asserted(handler)
        return None if name is None else {"name": name, "admin": False}

    async def refresh_user(self, user: Any, handler: Any = None) -> bool:
        # What the hub does by itself, without a request, is not done in anybody's name.
        return handler is not None and await self._asserted(handler) == user.name

    def is_admin(self, handler: Any, authentication: Any) -> bool:
        return False

    def pre_spawn_start(self, user: Any, spawner: Any) -> None:
        """Has the server believe Lockstep. Of what jupyterhub-singleuser is told, only its arguments may say so."""
        others = [argument for argument in spawner.args if not _is_ours(argument)]
        settings = [f"--{_PROVIDER}.{name}={getattr(self, name)}" for name in _TOLD]
        provider = f"--ServerApp.identity_provider_class=lockstep_jupyter.hub_server.{_PROVIDER}"
        spawner.args = [*others, provider, *settings]

    async def _asserted(self, handler: Any) -> str | None:
        identity = await self.stated(handler.request)
        if identity is None or _OBJECT_ID.fullmatch(identity.subject) is None:
            return None
        return identity.subject


def _is_ours(argument: str) -> bool:
    return argument.startswith((f"--{_PROVIDER}.", "--ServerApp.identity_provider_class="))
