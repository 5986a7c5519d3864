"""
Each way in which the gateway answers otherwise than MLflow does, by name, with its reason, and as narrow as can be.

Two kinds: what the gateway refuses before MLflow sees it, because it could be read in two ways (`REFUSED`), and what it
writes itself (`as_unstamped`). Everything else must be the same.
"""

import json
import re
from dataclasses import dataclass


@dataclass
class Refusal:
    """What is wrong with the request, what the gateway says, and with which statuses MLflow answers where it is asked."""

    how: str
    says: str
    directly: tuple
    status: int = 400


not_an_object = r"with (an array|a text|null)$"
no_json = r"with (half a body|what is not UTF-8)$"
wrong = r"with a (wrong|null) (item in )?`"

REFUSED = {
    # MLflow takes what it cannot read for an empty object, or stumbles over it (500, a page).
    "a body that is not JSON": Refusal(no_json, r"The request body is not valid JSON in UTF-8\.", (200, 400, 404, 500)),
    "a body that is not an object": Refusal(
        not_an_object, r"The request body must be a JSON object\.", (200, 400, 404, 500)
    ),
    "no body where an author is written into it": Refusal(
        "with no body$", r"A JSON request body is needed; there is none\.", (400, 500)
    ),
    # protobuf takes `run_id` and `runId` alike, MLflow's own checks do not: one of them reads another thing.
    "a member in camel case": Refusal("in camel case$", r"`\w+`: members are written in snake_case\.", (200, 400, 404, 500)),
    # MLflow takes the first, others take the last.
    "a parameter that stands twice": Refusal("twice$", r"The parameter `\w+` stands twice\.", (200, 400, 404)),
    "a query besides a body": Refusal(
        "with a query besides$", r"A (POST|PATCH|PUT|DELETE) to this endpoint takes no query\.", (200, 400, 404, 500)
    ),
    "a name longer than any name": Refusal("with a very long `", r"`\w+` holds what no name holds\.", (200, 400, 404, 500)),
    "what names a thing and is no text": Refusal(
        wrong, r"(Invalid value.* for parameter '\w+' supplied: )?`\w+` must (be (a string|an array|an array of strings|JSON within a string)|hold strings only)\.", (200, 400, 404, 500)
    ),
    "an item that is no object": Refusal(
        wrong, r"(A tag must be an object with a key|The request body must be a JSON object)\.", (200, 400, 500)
    ),
    "tags beside which no author can be written": Refusal(wrong, r"[\w.]+: Invalid input: expected \w+, received \w+", (200, 400, 500)),
    "two names of one thing that are not the same": Refusal(
        wrong, r"(`\w+` and `\w+` name two runs|`\w+` is not what stands in the path)\.", (200, 400, 404)
    ),
    # MLflow answers 400 at most routes, and reads it all the same at some.
    # MLflow's own default would be a trace with nothing in it; the author has no place to stand.
    "a trace without its head": Refusal(
        r"(without `trace`|with no body)$", r"The request body must be a JSON object\.", (400,)
    ),
    "tags within a text that are not JSON": Refusal(
        "with a very long `tags`$", r"The request body is not valid JSON in UTF-8\.", (400, 500)
    ),
    # MLflow's own tell of what is hidden. It says what it makes of each, the gateway the first of that for all.
    "a page token that came with no answer": Refusal(
        "with a wrong `page_token`$", "Invalid page token, could not base64-decode", (400,)
    ),
    # Beneath no experiment it would be nobody's.
    "an artifact that belongs to no run and no model": Refusal(
        r"^(about|with)", r"Artifacts are written beneath `[^`]*` only\.", (200, 400)
    ),
    "exported spans in another form": Refusal(
        r"^(about|with|as)", r"The request body has `[^`]*`; accepted is application/x-protobuf\.", (422,), 415
    ),
    "a body of another media type": Refusal(
        "as text/plain$", r"The request body has `text/plain`; accepted is application/json\.", (200, 400, 404, 500), 415
    ),
}
# What the variants say of the user of a run, which MLflow keeps and the gateway overwrites.
USERS = ("alice", "unknown", "x" * 5000, "", "31", "no-such")
STAMPED = "who made it is written by the gateway"
ALL = [*REFUSED, STAMPED]


def refusal(how, answer):
    """The name under which the gateway itself has refused this request; null where it did not."""
    if answer.code != "INVALID_PARAMETER_VALUE" or not str(answer.json.get("request_id", "")).startswith("req_"):
        return None
    message = answer.json["message"]
    fits = (
        name
        for name, one in REFUSED.items()
        if answer.status == one.status and re.search(one.how, how) and re.match(one.says, message)
    )
    return next(fits, None)


def explain(how, direct, through, left, right):
    """The name of what makes the answers differ; null where nothing does that is known."""
    name = refusal(how, through)
    if name is not None:
        return name if direct.status in REFUSED[name].directly else None
    if left[:3] == right[:3] and as_unstamped(left[3]) == as_unstamped(right[3]):
        return STAMPED
    return None


def as_unstamped(value):
    """The answer without the caller's name as the maker, and without what refers to the decision."""
    if isinstance(value, list):
        return [as_unstamped(item) for item in value if not is_stamp(item)]
    if isinstance(value, str):
        return within(value)
    if not isinstance(value, dict):
        return value
    kept = {key: as_unstamped(item) for key, item in value.items() if not says_who(key, item)}
    for things in ("runs", "traces"):
        # Those that began at the same time come in the order of their ids.
        if isinstance(kept.get(things), list):
            kept[things] = sorted(kept[things], key=json.dumps)
    if "dataset_id" in value:
        # MLflow computes it from the tags, among others.
        kept.pop("digest", None)
    return {key: item for key, item in kept.items() if item not in ([], {}, "{}", None)}


def within(text):
    """A dataset's tags travel as JSON within a string."""
    if not text.startswith('{"'):
        return text
    try:
        inside = json.loads(text)
    except ValueError:
        return text
    return json.dumps({key: item for key, item in inside.items() if not says_who(key, item)}, sort_keys=True)


def says_who(key, item):
    """The columns that MLflow fills from the author's tag, and the tags in a map."""
    if key in ("user_id", "created_by", "last_updated_by"):
        return item in USERS
    return is_stamp({"key": key, "value": item})


def is_stamp(item):
    """A tag with exactly what the gateway writes; and the empty one that MLflow makes of what is no tag."""
    if item == {"key": "", "value": ""}:
        return True
    if not isinstance(item, dict) or set(item) != {"key", "value"}:
        return False
    key, said = item["key"], str(item["value"])
    return (
        (key == "mlflow.user" and said == "alice")
        or (key == "lockstep.principal" and said == "<alice>")
        or (key == "lockstep.decision" and re.fullmatch(r"dec_[0-9a-z]{20,40}", said) is not None)
    )
