"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Actor:
    kind: str
    id: str
    name: str


@dataclass(frozen=True)
class Identity:
    """The person or workload on whose account the request happens. Decide by `subject`: names change, ids do not."""

    subject: str
    tenant: str
    name: str
    #: First the person, then each that acts for them, last the one that has sent the request.
    chain: tuple[Actor, ...]
    #: Under which it is in Lockstep's log.
    decision: str
    claims: dict[str, Any]

    @classmethod
    def of(cls, claims: dict[str, Any]) -> Identity:
        links = claims.get("lockstep_chain")
        return cls(
            subject=claims["sub"],
            tenant=_text(claims.get("tid")),
            name=_text(claims.get("name")),
            chain=tuple(
                Actor(_text(link.get("kind")), _text(link.get("id")), _text(link.get("name")))
                for link in (links if isinstance(links, list) else [])
                if isinstance(link, dict)
            ),
            decision=_text(claims.get("lockstep_decision")),
            claims=claims,
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
