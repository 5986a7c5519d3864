"""Jupyter knows who is asking: see LockstepIdentityProvider, and LockstepAuthenticator for a JupyterHub."""

from typing import Any

__all__ = ["LockstepAuthenticator", "LockstepIdentityProvider"]


def __getattr__(name: str) -> Any:
    # A hub need not have jupyter-server, nor a server jupyterhub.
    if name == "LockstepIdentityProvider":
        from .identity import LockstepIdentityProvider

        return LockstepIdentityProvider
    if name == "LockstepAuthenticator":
        from .hub import LockstepAuthenticator

        return LockstepAuthenticator
    raise AttributeError(name)
