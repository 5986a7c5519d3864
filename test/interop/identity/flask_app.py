"""A Flask application that says who it was told is asking."""

import os

from flask import Flask, request
from lockstep_identity import LockstepWSGI, Verifier

app = Flask(__name__)
app.wsgi_app = LockstepWSGI(  # type: ignore[method-assign]
    app.wsgi_app,
    Verifier(
        issuer=os.environ["ISSUER"],
        audience=os.environ["AUDIENCE"],
        jwks_url=os.environ["JWKS_URL"],
        ca_file=os.environ["CA_FILE"],
    ),
)


@app.route("/", defaults={"path": ""})
@app.route("/<path:path>", methods=["GET", "POST"])
def who(path: str) -> dict[str, object]:
    seen = request.environ["lockstep.identity"]
    return {
        "name": seen.name,
        "subject": seen.subject,
        "decision": seen.decision,
        "statement": "x-lockstep-assertion" in request.headers,
        "body": request.get_data(as_text=True),
        "path": f"/{path}",
    }
