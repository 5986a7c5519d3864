"""A server as one caller sees it, and its answers without what differs from server to server."""

import json
import re
from string import Template

import requests


class World:
    """One server; what it answers is remembered under the names that the calls give it."""

    def __init__(self, origin, token, places):
        self.origin = origin
        self.known = {}
        self.again = 0
        self.session = requests.Session()
        self.session.trust_env = True
        if token is not None:
            self.session.headers["authorization"] = f"Bearer {token}"
        self.session.headers["accept-encoding"] = "identity"
        self.names = Names(places)

    def ask(self, call, raw=None):
        """`raw` is sent in place of the call's own body."""
        put = self.put
        headers = dict(call.headers)
        if call.method == "GET":
            given = {"params": put(call.body)}
        else:
            given = {"data": raw if raw is not None else self.body_of(call), "params": put(call.query)}
            headers.setdefault("content-type", "application/json")
        for attempt in range(2):
            try:
                answer = self.session.request(
                    call.method, self.origin + put(call.path), headers=headers, timeout=20, allow_redirects=False, **given
                )
                if answer.status_code != 502 or attempt == 1:
                    return Answer(answer)
            except requests.ConnectionError:
                if attempt == 1:
                    raise
            # Uvicorn answers where a program has failed, and hangs up a little later, be the next request there or
            # not. MLflow's client comes again by itself.
            self.again += 1

    def put(self, value):
        if isinstance(value, str):
            return Template(value).safe_substitute(self.known)
        if isinstance(value, list):
            return [self.put(item) for item in value]
        if isinstance(value, dict):
            return {key: self.put(item) for key, item in value.items()}
        return value

    def body_of(self, call):
        return call.body if isinstance(call.body, bytes) else json.dumps(self.put(call.body)).encode()

    def keep(self, names, answer):
        for name, path in names.items():
            value = answer.json
            for step in path.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            self.known[name] = str(value)
            # Short ones (a version, an experiment's number) are the same at both.
            if len(str(value)) > 16:
                self.names.places[str(value)] = f"<{name}>"


class Answer:
    def __init__(self, answer):
        self.status = answer.status_code
        self.media = answer.headers.get("content-type", "").replace(" ", "").lower()
        self.disposition = answer.headers.get("content-disposition", "")
        self.text = answer.content.decode("utf-8", "replace")
        try:
            self.json = json.loads(self.text)
        except ValueError:
            self.json = None

    @property
    def code(self):
        return self.json.get("error_code") if isinstance(self.json, dict) else None

    def plain(self, names):
        """What must be the same of both servers' answers."""
        said = self.json if self.json is not None else self.text
        return [self.status, self.media, self.disposition, names.out(said)]


class Names:
    """Puts names in the place of what is each server's own: ids, times, addresses, folders."""

    def __init__(self, places):
        self.places = places

    def out(self, value, key=""):
        if isinstance(value, dict):
            return {self.text(name): self.out(item, name) for name, item in value.items()}
        if isinstance(value, list):
            items = [self.out(item, key) for item in value]
            # These come in the order of their ids.
            return sorted(items, key=json.dumps) if key in ("budget_policies", "windows") else items
        if isinstance(value, str):
            return "<token>" if key.endswith("page_token") and value else self.text(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return self.text(str(value)) if value > 1_500_000_000_000 else value
        return value

    def text(self, text):
        for place, name in self.places.items():
            text = text.replace(place, name)
        # The statement and its parameters, as SQLAlchemy shows them.
        text = re.sub(r"\[SQL: .*", "<sql>", text, flags=re.DOTALL)
        text = re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}", "<id>", text)
        text = re.sub(r"\b1[5-9]\d{11}\b", "<ms>", text)
        text = re.sub(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?", "<time>", text)
        text = re.sub(r"\b0x[0-9a-f]{6,}\b", "<address>", text)
        return re.sub(r"^[a-z]+-[a-z]+-\d{1,3}$", "<run name>", text)
