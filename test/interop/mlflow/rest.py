"""
MLflow's REST API, every route of it, asked of a server directly and of its twin through the gateway with full rights:
a day's calls, and each call wrong in every way that its own descriptor allows. The answers are the same, but for what is
explained by name in `rest_explained.py`.
"""

import json
import os
import re
from collections import Counter
from dataclasses import replace

from checks import check, expect
from requests import RequestException
from rest_calls import CALLS
from rest_explained import ALL, explain, refusal
from rest_variants import descriptors, template, unknown, variants
from rest_worlds import World
from routes import routes

closed_to_all = json.loads(os.environ["DENIED"])
direct = World(os.environ["DIRECT"], None, {os.environ["DIRECT"]: "<origin>", os.environ["DIRECT_HOME"]: "<home>"})
through = World(
    os.environ["MLFLOW_TRACKING_URI"],
    os.environ["ALICE_TOKEN"],
    {
        os.environ["UPSTREAM"]: "<origin>",
        os.environ["UPSTREAM_HOME"]: "<home>",
        os.environ["ALICE_ID"]: "<alice>",
    },
)
fields = descriptors()
registered = {(route["method"], route["path"]) for route in routes()}
asked, same, explained, strange, differing = set(), 0, Counter(), [], []


def denied(method, path):
    """Whether Lockstep refuses the route to everybody. Of MLflow it is not asked: some run commands, or send things."""
    sample = template(path).replace("{}", "no-such")
    return any(
        one["method"] == method
        and (sample.startswith(one["path"][:-1]) if one["path"].endswith("*") else sample == one["path"])
        for one in closed_to_all
    )


def route_of(call):
    """The path of the registered route that a call of the day is for: of those that fit, the most definite."""
    fits = [path for method, path in registered if method == call.method and matches(path, call.path)]
    return min(fits, key=lambda path: (template(path).count("{}"), path), default=None)


def matches(path, sample):
    rest = r"<path:[^>]*>|\{[^}]*:path\}"
    pattern = re.sub(rf"{rest}|<[^>]*>|\{{[^}}]*\}}", lambda m: ".+" if re.fullmatch(rest, m[0]) else "[^/]+", path)
    return re.fullmatch(pattern, sample) is not None


def twin(path):
    """The other address of the same route, for programs or for the page."""
    if path.startswith("/api/"):
        return path.replace("/api/", "/ajax-api/", 1)
    return path.replace("/ajax-api/", "/api/", 1)


def compare(how, call, raw=None, making=False):
    """Asks both. What is made (or gone) by a request that only MLflow accepts would set the two apart: it is not asked."""
    global same
    try:
        there = through.ask(call, raw)
        name = refusal(how, there)
        if name is not None and making:
            explained[name] += 1
            return
        here = direct.ask(call, raw)
    except RequestException as error:
        strange.append(f"{call.method} {call.path} {how}: {error!r}")
        return
    direct.keep(call.keep, here)
    through.keep(call.keep, there)
    left, right = here.plain(direct.names), there.plain(through.names)
    if how == "" and call.status and here.status != call.status:
        strange.append(f"{call.method} {call.path}: {here.status} {here.text[:300]}")
    if left == right:
        same += 1
        return
    name = explain(how, here, there, left, right)
    if name is None:
        differing.append((f"{call.method} {call.path} {how}", left, right))
    else:
        explained[name] += 1


def makes(call):
    return call.method != "GET" and (bool(call.keep) or re.search(r"/(create|register|log-\w+|traces|delete-traces)$", call.path))


def compare_wrong(route, call, every):
    """The call's wrong sisters, in turn at both addresses of its route."""
    method, path = route
    places = [(path, call.path)]
    if (method, twin(path)) in registered and twin(path) != path:
        places.append((twin(path), twin(call.path)))
    descriptor = fields.get((method, template(path)))
    making = makes(call)
    for number, variant in enumerate(list(variants(call, descriptor))[::every]):
        place, address = places[number % len(places)]
        asked.add((method, place))
        compare(variant.how, replace(variant.call, path=address, keep={}), variant.raw, making)


for call in CALLS:
    path = route_of(call)
    if path is None:
        strange.append(f"{call.method} {call.path}: the server has no such route")
        continue
    asked.add((call.method, path))
    compare("", call)
    if call.method == "GET" and (call.method, twin(path)) in registered:
        asked.add((call.method, twin(path)))
        compare("", replace(call, path=twin(call.path)))
    compare_wrong((call.method, path), call, 1)
for method, path in sorted(registered):
    if (method, path) in asked or denied(method, path):
        continue
    call = unknown(method, path, fields.get((method, template(path))))
    asked.add((method, path))
    compare("about what is not there", call)
    compare_wrong((method, path), call, 3)

closed = sorted(route for route in registered if denied(*route))


@check(f"the {len(closed)} routes that are refused to everybody are refused to an owner, too, with the reason")
def _():
    for method, path in closed:
        answer = through.ask(unknown(method, path, None))
        message = answer.json["message"] if isinstance(answer.json, dict) else answer.text
        expect(answer.status == 403 and "This route is not let through" in message, f"{method} {path}: {message}")


@check(f"each of the {len(CALLS)} calls of a day succeeds at MLflow itself, and nothing stays without an answer")
def _():
    expect(not strange, "\n".join(strange))


@check(f"{len(registered) - len(closed)} routes are asked, and {same} answers are the same directly and through the gateway")
def _():
    missed = sorted(route for route in registered if route not in asked and route not in closed)
    expect(not missed, f"not asked: {missed}")
    expect(len(asked) > 350 and same > 2500, f"{len(asked)} routes, {same} answers")


@check(f"MLflow hung up on {through.again} requests of the gateway's, no more than happens to who asks it directly")
def _():
    expect(through.again <= 20 and direct.again <= 20, f"{through.again} and {direct.again}")


@check(f"every other answer ({sum(explained.values())}) differs for a reason that has a name")
def _():
    shown = [f"{what}\n  directly {json.dumps(a)[:500]}\n  through  {json.dumps(b)[:500]}" for what, a, b in differing]
    expect(not differing, "\n".join([f"{len(differing)} do not:", *shown[:20]]))


for name in ALL:

    @check(f"{name} ({explained[name]} answers)")
    def _():
        expect(explained[name] > 0, "this never happens any more")


if "REST_DIFFERENCES" in os.environ:
    with open(os.environ["REST_DIFFERENCES"], "w") as out:
        for what, left, right in differing:
            out.write(json.dumps({"what": what, "direct": left, "through": right}) + "\n")
        for line in strange:
            out.write(json.dumps({"what": "STRANGE " + line, "direct": [0, "", "", ""], "through": [0, "", "", ""]}) + "\n")
