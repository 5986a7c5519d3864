"""Every route that a JupyterHub of this version answers, a JSON line each: method and a path that matches."""

import json
import re

from jupyterhub import apihandlers, handlers
from tornado.web import RequestHandler

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SAMPLES = (
    (r"\(\?P<user_path>/\.\*\)\?", "/lab"),
    (r"\(\.\*\)\?", "lab"),
    (r"\(\?:/\(\[\^/\]\+\)\)\?", ""),
    (r"\((?:\?P<user_name>)?\[\^/\][+*]\)", "{id}"),
    (r"\(\\d\+\)", "404"),
    (r"/\?$|\$$", ""),
)

for pattern, handler, *_ in [*handlers.default_handlers, *apihandlers.default_handlers]:
    path = pattern
    for regex, text in SAMPLES:
        path = re.sub(regex, lambda _, text=text: text, path)
    if re.fullmatch(pattern, path) is None:
        raise ValueError(f"no path was found for {pattern}: {path}")
    for method in METHODS:
        if getattr(handler, method.lower()) is not getattr(RequestHandler, method.lower()):
            print(json.dumps([method, f"/hub{path}"]))
