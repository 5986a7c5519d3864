"""Judges events by OCSF's own published schema: one event a line on standard input, one verdict a line on standard output.

The schema is the one that the package ocsf-json-schema brings along (an export of schema.ocsf.io), turned into JSON Schema by
that package and applied by the package jsonschema. An attribute that the schema does not know is an error.
"""

import json
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

schemas = {}
validators = {}


def validator_of(event):
    version = event["metadata"]["version"]
    profiles = tuple(sorted(event["metadata"].get("profiles", [])))
    key = (version, event["class_uid"], profiles)
    if key not in validators:
        if version not in schemas:
            schemas[version] = OcsfJsonSchemaEmbedded(get_ocsf_schema(version))
        schema = schemas[version]
        name = schema.lookup_class_name_from_uid(event["class_uid"])
        validators[key] = Draft202012Validator(schema.get_class_schema(name, list(profiles)))
    return validators[key]


for line in sys.stdin:
    try:
        event = json.loads(line)
        errors = [f"{error.json_path}: {error.message}"[:300] for error in validator_of(event).iter_errors(event)]
    except Exception as error:  # an event that cannot even be judged is refused too
        errors = [f"{type(error).__name__}: {error}"[:300]]
    print(json.dumps(errors), flush=True)
