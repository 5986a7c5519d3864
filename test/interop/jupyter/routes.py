"""Every route that a JupyterLab of this version answers, a JSON line each: method and a path that matches."""

import json
import re._constants as kind
import re._parser as parser
import sys

from jupyter_server.serverapp import ServerApp
from tornado.web import RequestHandler

METHODS = ("get", "head", "post", "put", "patch", "delete")
# What answers that there is nothing, or where else to look.
NOT_ROUTES = {"Template404", "TrailingSlashHandler", "NotFoundHandler"}


def sample(parsed):
    """Some text that matches, not empty where it need not be."""
    text = ""
    for op, value in parsed:
        if op is kind.LITERAL:
            text += chr(value)
        elif op in (kind.ANY, kind.NOT_LITERAL):
            text += "x"
        elif op is kind.IN:
            text += "x" if value[0] == (kind.NEGATE, None) else member(value[0])
        elif op in (kind.MAX_REPEAT, kind.MIN_REPEAT):
            least, most, inner = value
            text += sample(inner) * max(least, min(1, most))
        elif op is kind.SUBPATTERN:
            text += sample(value[3])
        elif op is kind.BRANCH:
            text += sample(value[1][0])
        elif op is not kind.AT:
            raise ValueError(f"unknown in a route: {op}")
    return text


def member(first):
    op, value = first
    if op is kind.LITERAL:
        return chr(value)
    return chr(value[0]) if op is kind.RANGE else "x"


def walk(router):
    for rule in router.rules:
        target = rule.target
        if hasattr(target, "rules"):
            yield from walk(target)
        elif isinstance(target, type) and target.__name__ not in NOT_ROUTES:
            pattern = getattr(rule.matcher, "regex", None)
            if pattern is None:
                raise ValueError(f"a route without a pattern: {rule.matcher}")
            for method in METHODS:
                if getattr(target, method) is not getattr(RequestHandler, method):
                    yield method.upper(), sample(parser.parse(pattern.pattern))


app = ServerApp.instance()
extensions = {"jupyterlab": True, "jupyter_server_terminals": True, "jupyter_lsp": True}
app.initialize(
    argv=["--no-browser", "--port=0", "--allow-root", f"--ServerApp.jpserver_extensions={extensions}"],
    find_extensions=False,
)
for method, path in sorted(set(walk(app.web_app.default_router))):
    json.dump([method, path], sys.stdout)
    print()
