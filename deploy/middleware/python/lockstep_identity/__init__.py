"""Who is asking, by the word of Lockstep's gateway: see LockstepASGI and LockstepWSGI."""

from .asgi import LockstepASGI
from .assertion import AssertionRefused, Request, verify_assertion
from .identity import Actor, Identity
from .keys import Keys
from .verifier import Verifier
from .wsgi import LockstepWSGI

__all__ = [
    "Actor",
    "AssertionRefused",
    "Identity",
    "Keys",
    "LockstepASGI",
    "LockstepWSGI",
    "Request",
    "Verifier",
    "verify_assertion",
]
