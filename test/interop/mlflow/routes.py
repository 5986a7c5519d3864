"""Prints every route of the installed tracking server, a JSON object a line: what could be asked of it."""

import json


def routes():
    """A dict with server, method and path for each; two servers share the work."""
    from mlflow.server import app as flask_app
    from mlflow.server.fastapi_app import app as fastapi_app

    for rule in flask_app.url_map.iter_rules():
        yield from told("flask", rule.methods, rule.rule)
    yield from walked(fastapi_app.routes, "")


def told(server, methods, path):
    for method in sorted(set(methods) - {"HEAD", "OPTIONS"}):
        yield {"server": server, "method": method, "path": path}


def walked(routes, prefix):
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from walked(included.routes, prefix + route.include_context.prefix)
        elif getattr(route, "methods", None):
            yield from told("fastapi", route.methods, prefix + route.path)
        elif type(route).__name__ != "Mount":
            # A kind of route that nobody has thought about, such as a WebSocket.
            yield {"server": "fastapi", "method": type(route).__name__, "path": prefix + str(route)}


if __name__ == "__main__":
    for route in routes():
        print(json.dumps(route))
