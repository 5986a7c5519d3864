"""Renewing tokens for MLflow clients behind Lockstep."""

from lockstep_mlflow.auth import LockstepAuth
from lockstep_mlflow.tokens import NoTokenError

__all__ = ["LockstepAuth", "LockstepRequestAuthProvider", "NoTokenError"]


class LockstepRequestAuthProvider:
    """What MLflow looks for under the name in MLFLOW_TRACKING_AUTH (entry point `mlflow.request_auth_provider`)."""

    def __init__(self):
        self._auth = LockstepAuth()

    def get_name(self):
        return "lockstep"

    def get_auth(self):
        return self._auth
