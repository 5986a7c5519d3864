"""A FastAPI application that says who it was told is asking."""

import os

from fastapi import FastAPI, Request
from lockstep_identity import LockstepASGI, Verifier

api = FastAPI()


@api.api_route("/{path:path}", methods=["GET", "POST"])
async def who(request: Request) -> dict[str, object]:
    seen = request.state.lockstep
    return {
        "name": seen.name,
        "subject": seen.subject,
        "decision": seen.decision,
        "statement": "x-lockstep-assertion" in request.headers,
        "body": (await request.body()).decode(),
    }


app = LockstepASGI(
    api,
    Verifier(
        issuer=os.environ["ISSUER"],
        audience=os.environ["AUDIENCE"],
        jwks_url=os.environ["JWKS_URL"],
        ca_file=os.environ["CA_FILE"],
    ),
)
