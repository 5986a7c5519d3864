"""The identity provider of the servers that a JupyterHub starts."""

from __future__ import annotations

from typing import Any

from jupyterhub.singleuser.extension import JupyterHubIdentityProvider
from tornado import web

from .server import BelievingServer


class LockstepHubIdentityProvider(BelievingServer, JupyterHubIdentityProvider):
    """
    Lets in whoever comes with a statement of Lockstep's gateway that holds for the request, and nobody else: the hub
    and its tokens have no part in it. Who may enter whose server has been decided when there is a statement.
    LockstepAuthenticator gives it to each server that it starts.
    """

    @property
    def token(self) -> str:
        # The server's token at the hub opens nothing here.
        return ""

    def get_handlers(self) -> list[Any]:
        # Neither OAuth with the hub nor a way to sign out of it.
        return []

    def page_config_hook(self, handler: web.RequestHandler, page_config: dict[str, Any]) -> dict[str, Any]:
        config = super().page_config_hook(handler, page_config)
        user = handler.current_user
        config["hubUser"] = user.username if user else ""
        config["token"] = ""
        return config
