"""A check is a function; each prints one line that says how it went."""

import json
import traceback


def check(what):
    def run(work):
        try:
            work()
            print(json.dumps({"check": what, "ok": True}), flush=True)
        except Exception as error:
            trace = traceback.format_exc(limit=-3)
            print(json.dumps({"check": what, "ok": False, "error": f"{error!r}"[:900] + "\n" + trace[-900:]}), flush=True)

    return run


def expect(condition, message="not so"):
    if not condition:
        raise AssertionError(message)
