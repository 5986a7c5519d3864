"""Every way in which a call can be wrong, made from the fields that MLflow's own descriptors name."""

import re
from dataclasses import dataclass, replace
from typing import Any

from rest_calls import Call


@dataclass
class Variant:
    """`how` names what is wrong with it."""

    how: str
    call: Call
    raw: bytes | None = None


def descriptors():
    """(method, path with `{}` for every parameter) → descriptor of its request."""
    from mlflow.protos import databricks_pb2
    from mlflow.protos.mlflow_artifacts_pb2 import MlflowArtifactsService
    from mlflow.protos.model_registry_pb2 import ModelRegistryService
    from mlflow.protos.service_pb2 import MlflowService
    from mlflow.protos.webhooks_pb2 import WebhookService
    from mlflow.server.handlers import _get_paths

    found = {}
    for service in (MlflowService, ModelRegistryService, MlflowArtifactsService, WebhookService):
        for method in service.DESCRIPTOR.methods:
            for endpoint in method.GetOptions().Extensions[databricks_pb2.rpc].endpoints:
                for path in _get_paths(endpoint.path, version=endpoint.since.major):
                    found[endpoint.method, template(path)] = method.input_type
    return found


def template(path):
    return re.sub(r"<[^>]*>|\{[^}]*\}", "{}", path)


def filled(descriptor):
    """A request of the right form about things that there are not."""
    return {f.name: [value_of(f)] if f.is_repeated else value_of(f) for f in descriptor.fields}


def value_of(field):
    if field.message_type is not None:
        return {}
    if field.enum_type is not None:
        return field.enum_type.values[-1].name
    return {"string": "no-such", "bool": True}.get(kind_of(field), 1)


def kind_of(field):
    if field.type == field.TYPE_STRING:
        return "string"
    return "bool" if field.type == field.TYPE_BOOL else "number"


def wrong_value(field):
    if field.is_repeated:
        return "5"
    if field.message_type is not None:
        return 5
    if field.enum_type is not None:
        return "NO_SUCH"
    return 31 if kind_of(field) == "string" else "foo"


def variants(call, descriptor):
    """The call's wrong sisters."""
    fields = list(descriptor.fields) if descriptor is not None else []
    if isinstance(call.body, bytes):
        yield Variant("with no body", call, b"")
        return
    yield from wrong_fields(call, fields)
    if call.method == "GET":
        yield Variant("with a parameter that is none", replace(call, body={**call.body, "no_such": "1"}))
        yield Variant("with no query", replace(call, body={}))
        return
    yield Variant("with a member that is none", replace(call, body={**call.body, "no_such": 1}))
    for how, raw in (
        ("with no body", b""),
        ("with half a body", b"{"),
        ("with an array", b"[]"),
        ("with a text", b'"x"'),
        ("with null", b"null"),
        ("with what is not UTF-8", b'{"a": "\xff"}'),
    ):
        yield Variant(how, call, raw)
    typed = {**call.headers, "content-type": "text/plain"}
    yield Variant("as text/plain", replace(call, headers=typed))
    with_charset = {**call.headers, "content-type": "application/json; charset=utf-8"}
    yield Variant("with a charset", replace(call, headers=with_charset))
    yield Variant("with a query besides", replace(call, query={"x": "1"}))


def wrong_fields(call, fields):
    for field in fields:
        name = field.name
        without = {key: value for key, value in call.body.items() if key != name}
        given = name in call.body
        yield Variant(f"with a wrong `{name}`", with_field(call, name, wrong_value(field)))
        if given:
            yield Variant(f"without `{name}`", replace(call, body=without))
        if given and field.type == field.TYPE_STRING and not field.is_repeated:
            yield Variant(f"with an empty `{name}`", with_field(call, name, ""))
            yield Variant(f"with a very long `{name}`", with_field(call, name, "x" * 5000))
        if call.method == "GET":
            if given and not field.is_repeated:
                yield Variant(f"with `{name}` twice", with_field(call, name, [call.body[name], "other"]))
            continue
        yield Variant(f"with a null `{name}`", with_field(call, name, None))
        if field.is_repeated:
            yield Variant(f"with a wrong item in `{name}`", with_field(call, name, [5]))
            yield Variant(f"with a null item in `{name}`", with_field(call, name, [None]))
        if given and "_" in name:
            head, *rest = name.split("_")
            camel = head + "".join(word.capitalize() for word in rest)
            yield Variant(f"with `{name}` in camel case", replace(call, body={**without, camel: call.body[name]}))


def with_field(call, name, value):
    return replace(call, body={**call.body, name: value})


def unknown(method, path, descriptor) -> Any:
    """A call to a route that the day does not touch, about things that there are not."""
    asked = re.sub(r"<[^>]*>|\{[^}]*\}", "no-such", path)
    if descriptor is None:
        return Call(method, asked, {})
    body = filled(descriptor)
    return Call(method, asked, {k: v for k, v in body.items() if v != {}} if method == "GET" else body)

