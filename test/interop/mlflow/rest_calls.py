"""
A day at a tracking server, call by call, touching every part of its REST API.

A call is asked of two servers, in each with the values that its own earlier answers gave to the names behind `$`.
"""

from dataclasses import dataclass, field
from typing import Any

TRACE = "tr-" + "1a" * 16
OTHER_TRACE = "tr-" + "2b" * 16
MODEL_JSON = '{"run_id": "r", "artifact_path": "m", "utc_time_created": "t", "flavors": {}, "model_uuid": "u"}'
PART = {"part_number": 1, "etag": "e", "url": "u"}
SCORER = (
    '{"name": "sc", "mlflow_version": "3.17.2", "serialization_version": 1, "builtin_scorer_class": "Safety",'
    ' "builtin_scorer_pydantic_data": {"name": "sc"}}'
)


@dataclass
class Call:
    method: str
    path: str
    """What a GET asks, or the JSON of anything else. Bytes are sent as they are."""
    body: Any = None
    """Name → where in the answer its value stands, as `run.info.run_id`."""
    keep: dict = field(default_factory=dict)
    status: int = 200
    query: dict = field(default_factory=dict)
    headers: dict = field(default_factory=dict)


v2, v3 = "/api/2.0/mlflow", "/api/3.0/mlflow"
artifacts = "/api/2.0/mlflow-artifacts"


def get(path, asked=None, keep=None, **more):
    return Call("GET", path, asked or {}, keep or {}, **more)


def post(path, body, keep=None, **more):
    return Call("POST", path, body, keep or {}, **more)


def patch(path, body, keep=None, **more):
    return Call("PATCH", path, body, keep or {}, **more)


def delete(path, body=None, keep=None, **more):
    return Call("DELETE", path, body or {}, keep or {}, **more)


def tag(key, value):
    return {"key": key, "value": value}


def trace(trace_id, experiment):
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    info = {"trace_id": trace_id, "trace_location": location, "request_time": "2026-01-02T03:04:05Z"}
    return {"trace": {"trace_info": {**info, "execution_duration": "1.5s", "state": "OK", "tags": {"own": "tag"}}}}


EXPERIMENTS = [
    get("/health"),
    get("/version"),
    get("/"),
    get(f"{v3}/server-info"),
    get(f"{v2}/experiments/get", {"experiment_id": "0"}),
    post(f"{v2}/experiments/create", {"name": "E ünï", "tags": [tag("k", "v")]}, {"exp": "experiment_id"}),
    post(f"{v2}/experiments/create", {"name": "second"}, {"exp2": "experiment_id"}),
    get(f"{v2}/experiments/get-by-name", {"experiment_name": "E ünï"}),
    post(f"{v2}/experiments/update", {"experiment_id": "$exp", "new_name": "E2"}),
    post(f"{v2}/experiments/set-experiment-tag", {"experiment_id": "$exp", **tag("t", "1")}),
    get(f"{v2}/experiments/get", {"experiment_id": "$exp"}),
    post(f"{v2}/experiments/delete-experiment-tag", {"experiment_id": "$exp", "key": "t"}),
    post(f"{v2}/experiments/search", {"max_results": 2, "order_by": ["name ASC"], "view_type": "ALL"}),
    get(f"{v2}/experiments/search", {"max_results": 10, "filter": "name = 'E2'"}),
    post(f"{v2}/experiments/delete", {"experiment_id": "$exp2"}),
    post(f"{v2}/experiments/restore", {"experiment_id": "$exp2"}),
]

RUNS = [
    post(
        f"{v2}/runs/create",
        {"experiment_id": "$exp", "run_name": "first", "start_time": 456, "tags": [tag("mlflow.source.name", "x.py")]},
        {"run": "run.info.run_id"},
    ),
    post(f"{v2}/runs/create", {"experiment_id": "$exp"}, {"run2": "run.info.run_id"}),
    post(f"{v2}/runs/log-metric", {"run_id": "$run", "key": "m", "value": 1.5, "timestamp": 789, "step": 2}),
    post(f"{v2}/runs/log-parameter", {"run_id": "$run", **tag("p", "ä")}),
    post(f"{v2}/runs/set-tag", {"run_id": "$run", **tag("t", "v")}),
    post(
        f"{v2}/runs/log-batch",
        {
            "run_id": "$run",
            "metrics": [{"key": "n", "value": "NaN", "timestamp": 1, "step": s} for s in range(3)],
            "params": [tag("q", "1")],
            "tags": [tag("u", "2")],
        },
    ),
    get(f"{v2}/runs/get", {"run_id": "$run"}),
    get(f"{v2}/metrics/get-history", {"run_id": "$run", "metric_key": "n", "max_results": 2}),
    get("/ajax-api/2.0/mlflow/metrics/get-history-bulk", {"run_id": ["$run", "$run2"], "metric_key": "n"}),
    get(f"{v2}/metrics/get-history-bulk-interval", {"run_ids": ["$run"], "metric_key": "n", "max_results": 5}),
    post(f"{v2}/runs/search", {"experiment_ids": ["$exp"], "filter": "metrics.m > 1", "max_results": 500}),
    post(
        f"{v2}/runs/log-inputs",
        {
            "run_id": "$run",
            "datasets": [
                {
                    "tags": [tag("mlflow.data.context", "training")],
                    "dataset": {"name": "d", "digest": "x1", "source_type": "local", "source": "{}"},
                }
            ],
        },
    ),
    post("/ajax-api/2.0/mlflow/experiments/search-datasets", {"experiment_ids": ["$exp"]}),
    post(f"{v2}/runs/log-model", {"run_id": "$run", "model_json": MODEL_JSON}),
    post(f"{v2}/runs/delete-tag", {"run_id": "$run", "key": "t"}),
    post(f"{v2}/runs/update", {"run_id": "$run", "status": "FINISHED", "end_time": 9999, "run_name": "renamed"}),
    post(f"{v2}/runs/delete", {"run_id": "$run2"}),
    post(f"{v2}/runs/restore", {"run_id": "$run2"}),
]

MODELS = [
    post(
        f"{v2}/logged-models",
        {"experiment_id": "$exp", "name": "lm", "model_type": "t", "source_run_id": "$run", "params": [tag("a", "1")]},
        {"model": "model.info.model_id"},
    ),
    patch(f"{v2}/logged-models/$model/tags", {"tags": [tag("x", "y")]}),
    delete(f"{v2}/logged-models/$model/tags/x"),
    post(f"{v2}/logged-models/$model/params", {"model_id": "$model", "params": [tag("b", "2")]}),
    patch(f"{v2}/logged-models/$model", {"model_id": "$model", "status": "LOGGED_MODEL_READY"}),
    get(f"{v2}/logged-models/$model"),
    post(f"{v2}/logged-models/search", {"experiment_ids": ["$exp"], "max_results": 5}),
    post(f"{v2}/runs/outputs", {"run_id": "$run", "models": [{"model_id": "$model", "step": "3"}]}),
    get(f"{v2}/logged-models/$model/artifacts/directories"),
]

ARTIFACTS = [
    Call("PUT", f"{artifacts}/artifacts/$exp/$run/artifacts/a/f ü.txt", b"hello", headers={"content-type": "text/plain"}),
    Call("PUT", f"{artifacts}/artifacts/$exp/models/$model/artifacts/g.json", b"{}"),
    get(f"{artifacts}/artifacts/$exp/$run/artifacts/a/f ü.txt"),
    get(f"{artifacts}/artifacts", {"path": "$exp/$run/artifacts"}),
    get(f"{v2}/artifacts/list", {"run_id": "$run", "path": "a"}),
    get("/get-artifact", {"run_id": "$run", "path": "a/f ü.txt"}),
    get("/ajax-api/2.0/mlflow/logged-models/$model/artifacts/files", {"artifact_file_path": "g.json"}),
    get(f"{v2}/logged-models/$model/artifacts/directories", {"artifact_directory_path": ""}),
    post("/ajax-api/2.0/mlflow/upload-artifact", b"up", query={"run_uuid": "$run", "path": "up.txt"}),
    post(f"{artifacts}/mpu/create/$exp/$run/artifacts/big", {"path": "big", "num_parts": 2}, status=501),
    post(f"{artifacts}/mpu/complete/$exp/$run/artifacts/big", {"path": "big", "upload_id": "u", "parts": [PART]}, status=501),
    post(f"{artifacts}/mpu/abort/$exp/$run/artifacts/big", {"path": "big", "upload_id": "u"}, status=501),
    delete(f"{artifacts}/artifacts/$exp/$run/artifacts/up.txt"),
]

REGISTRY = [
    post(f"{v2}/registered-models/create", {"name": "Rm", "tags": [tag("k", "v")], "description": "d"}),
    post(f"{v2}/registered-models/create", {"name": "other"}),
    post(f"{v2}/registered-models/rename", {"name": "other", "new_name": "another"}),
    patch(f"{v2}/registered-models/update", {"name": "Rm", "description": "e"}),
    get(f"{v2}/registered-models/get", {"name": "Rm"}),
    get(f"{v2}/registered-models/search", {"max_results": 5, "filter": "name LIKE 'R%'"}),
    post(
        f"{v2}/model-versions/create",
        {"name": "Rm", "source": "runs:/$run/a", "run_id": "$run", "tags": [tag("k", "v")]},
        {"version": "model_version.version"},
    ),
    post(f"{v2}/model-versions/create", {"name": "Rm", "source": "models:/$model", "model_id": "$model"}),
    patch(f"{v2}/model-versions/update", {"name": "Rm", "version": "1", "description": "first"}),
    post(
        f"{v2}/model-versions/transition-stage",
        {"name": "Rm", "version": "1", "stage": "Staging", "archive_existing_versions": False},
    ),
    get(f"{v2}/model-versions/get", {"name": "Rm", "version": "1"}),
    get(f"{v2}/model-versions/search", {"filter": "name = 'Rm'", "max_results": 5}),
    get(f"{v2}/model-versions/get-download-uri", {"name": "Rm", "version": "1"}),
    get("/model-versions/get-artifact", {"name": "Rm", "version": "1", "path": "f ü.txt"}, status=500),
    post(f"{v2}/registered-models/get-latest-versions", {"name": "Rm", "stages": ["Staging"]}),
    get(f"{v2}/registered-models/get-latest-versions", {"name": "Rm", "stages": ["None", "Staging"]}),
    post(f"{v2}/registered-models/set-tag", {"name": "Rm", **tag("t", "1")}),
    post(f"{v2}/model-versions/set-tag", {"name": "Rm", "version": "1", **tag("t", "1")}),
    delete(f"{v2}/registered-models/delete-tag", {"name": "Rm", "key": "t"}),
    delete(f"{v2}/model-versions/delete-tag", {"name": "Rm", "version": "1", "key": "t"}),
    post(f"{v2}/registered-models/alias", {"name": "Rm", "alias": "best", "version": "1"}),
    get(f"{v2}/registered-models/alias", {"name": "Rm", "alias": "best"}),
    delete(f"{v2}/registered-models/alias", {"name": "Rm", "alias": "best"}),
    delete(f"{v2}/model-versions/delete", {"name": "Rm", "version": "2"}),
    delete(f"{v2}/registered-models/delete", {"name": "another"}),
]

TRACES = [
    post(f"{v3}/traces", trace(TRACE, "$exp")),
    post(f"{v3}/traces", trace(OTHER_TRACE, "$exp")),
    post(f"{v2}/traces", {"experiment_id": "$exp", "timestamp_ms": 5, "tags": [tag("a", "b")]}, {"old": "trace_info.request_id"}),
    patch(f"{v2}/traces/$old", {"request_id": "$old", "timestamp_ms": 9, "status": "OK", "tags": [tag("c", "d")]}),
    get(f"{v2}/traces/$old/info"),
    patch(f"{v2}/traces/$old/tags", tag("e", "f")),
    delete(f"{v2}/traces/$old/tags", {"key": "e"}),
    patch(f"{v3}/traces/{TRACE}/tags", tag("e", "f")),
    delete(f"{v3}/traces/{TRACE}/tags", {"key": "e"}),
    get(f"{v3}/traces/{TRACE}"),
    get(f"{v2}/traces", {"experiment_ids": ["$exp"], "max_results": 100}),
    post(f"{v3}/traces/batchGetInfos", {"trace_ids": [TRACE, OTHER_TRACE]}),
    post(
        f"{v3}/traces/search",
        {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "$exp"}}], "max_results": 100},
    ),
    post(f"{v2}/traces/link-to-run", {"trace_ids": [TRACE], "run_id": "$run"}),
    post(f"{v3}/traces/calculate-filter-correlation", {"experiment_ids": ["$exp"], "filter_string1": "status = 'OK'", "filter_string2": "status = 'ERROR'"}),
    post(
        f"{v3}/traces/metrics",
        {"experiment_ids": ["$exp"], "view_type": "TRACES", "metric_name": "trace_count", "aggregations": [{"aggregation_type": "COUNT"}]},
    ),
    post(
        f"{v3}/traces/{TRACE}/assessments",
        {
            "assessment": {
                "trace_id": TRACE,
                "assessment_name": "good",
                "source": {"source_type": "HUMAN", "source_id": "someone"},
                "feedback": {"value": True},
                "create_time": "2026-01-02T03:04:05Z",
                "last_update_time": "2026-01-02T03:04:05Z",
            }
        },
        {"assessment": "assessment.assessment_id"},
    ),
    get(f"{v3}/traces/{TRACE}/assessments/$assessment"),
    patch(
        f"{v3}/traces/{TRACE}/assessments/$assessment",
        {"assessment": {"trace_id": TRACE, "assessment_id": "$assessment", "feedback": {"value": False}}, "update_mask": "feedback"},
    ),
    delete(f"{v3}/traces/{TRACE}/assessments/$assessment"),
    post(f"{v3}/traces/delete-traces", {"experiment_id": "$exp", "request_ids": [OTHER_TRACE]}),
    post(f"{v2}/traces/delete-traces", {"experiment_id": "$exp", "max_timestamp_millis": 10, "max_traces": 1}),
]

EVALUATION = [
    post(f"{v3}/datasets/create", {"name": "ds", "experiment_ids": ["$exp"], "tags": '{"a": "b"}'}, {"dataset": "dataset.dataset_id"}),
    post(f"{v3}/datasets/$dataset/records", {"dataset_id": "$dataset", "records": '[{"inputs": {"q": "x"}, "expectations": {"a": "y"}}]'}),
    get(f"{v3}/datasets/$dataset/records", {"max_results": 5}),
    patch(f"{v3}/datasets/$dataset/tags", {"dataset_id": "$dataset", "tags": '{"c": "d"}'}),
    delete(f"{v3}/datasets/$dataset/tags/c"),
    post(f"{v3}/datasets/search", {"experiment_ids": ["$exp"], "max_results": 5}),
    get(f"{v3}/datasets/search", {"experiment_ids": ["$exp"]}),
    get(f"{v3}/datasets/$dataset/experiment-ids"),
    post(f"{v3}/datasets/$dataset/add-experiments", {"dataset_id": "$dataset", "experiment_ids": ["$exp2"]}),
    post(f"{v3}/datasets/$dataset/remove-experiments", {"dataset_id": "$dataset", "experiment_ids": ["$exp2"]}),
    get(f"{v3}/datasets/$dataset"),
    delete(f"{v3}/datasets/$dataset"),
    post(f"{v3}/scorers/register", {"experiment_id": "$exp", "name": "sc", "serialized_scorer": SCORER}),
    get(f"{v3}/scorers/list", {"experiment_id": "$exp"}),
    get(f"{v3}/scorers/versions", {"experiment_id": "$exp", "name": "sc"}),
    get(f"{v3}/scorers/get", {"experiment_id": "$exp", "name": "sc"}),
    delete(f"{v3}/scorers/delete", {"experiment_id": "$exp", "name": "sc"}),
    post(f"{v3}/issues", {"experiment_id": "$exp", "name": "i", "description": "d", "status": "pending"}, {"issue": "issue.issue_id"}),
    patch(f"{v3}/issues/$issue", {"issue_id": "$issue", "name": "j"}),
    get(f"{v3}/issues/$issue"),
    post(f"{v3}/issues/search", {"experiment_id": "$exp", "max_results": 5}),
    post(
        f"{v3}/label-schemas/create",
        {"experiment_id": "$exp", "name": "ls", "type": "FEEDBACK", "input": {"pass_fail": {"positive_label": "yes", "negative_label": "no"}}},
        {"schema": "label_schema.schema_id"},
    ),
    get(f"{v3}/label-schemas/get", {"schema_id": "$schema"}),
    get(f"{v3}/label-schemas/get-by-name", {"experiment_id": "$exp", "name": "ls"}),
    get(f"{v3}/label-schemas/list", {"experiment_id": "$exp"}),
    patch(f"{v3}/label-schemas/update", {"schema_id": "$schema", "instruction": "look"}),
    post(f"{v3}/review-queues/create", {"experiment_id": "$exp", "name": "rq", "queue_type": "CUSTOM", "users": ["u"]}, {"queue": "review_queue.queue_id"}),
    post(f"{v3}/review-queues/get-or-create-user", {"experiment_id": "$exp", "user": "u"}),
    get(f"{v3}/review-queues/get", {"queue_id": "$queue"}),
    get(f"{v3}/review-queues/get-by-name", {"experiment_id": "$exp", "name": "rq"}),
    get(f"{v3}/review-queues/list", {"experiment_id": "$exp"}),
    post(f"{v3}/review-queues/update", {"queue_id": "$queue", "name": "rq2"}),
    post(f"{v3}/review-queues/items/add", {"queue_id": "$queue", "item_type": "TRACE", "item_ids": [TRACE]}),
    get(f"{v3}/review-queues/items/list", {"queue_id": "$queue"}),
    post(f"{v3}/review-queues/items/set-status", {"queue_id": "$queue", "item_id": TRACE, "status": "COMPLETE", "completed_by": "u"}),
    post(f"{v3}/review-queues/items/remove", {"queue_id": "$queue", "item_ids": [TRACE]}),
    post(f"{v3}/review-queues/delete", {"queue_id": "$queue"}),
    delete(f"{v3}/label-schemas/delete", {"schema_id": "$schema"}),
]

GATEWAY = [
    get("/ajax-api/3.0/mlflow/gateway/supported-providers"),
    get("/ajax-api/3.0/mlflow/gateway/secrets/config"),
    post(
        f"{v3}/gateway/secrets/create",
        {"secret_name": "s", "secret_value": [tag("api_key", "k-123")], "provider": "openai"},
        {"secret": "secret.secret_id"},
    ),
    get(f"{v3}/gateway/secrets/get", {"secret_id": "$secret"}),
    get(f"{v3}/gateway/secrets/list"),
    post(f"{v3}/gateway/secrets/update", {"secret_id": "$secret", "secret_value": [tag("api_key", "k-456")]}),
    post(
        f"{v3}/gateway/model-definitions/create",
        {"name": "md", "secret_id": "$secret", "provider": "openai", "model_name": "m"},
        {"definition": "model_definition.model_definition_id"},
    ),
    get(f"{v3}/gateway/model-definitions/get", {"model_definition_id": "$definition"}),
    get(f"{v3}/gateway/model-definitions/list"),
    post(f"{v3}/gateway/model-definitions/update", {"model_definition_id": "$definition", "model_name": "n"}),
    post(
        f"{v3}/gateway/endpoints/create",
        {"name": "ep", "model_configs": [{"model_definition_id": "$definition", "linkage_type": "PRIMARY", "weight": 1.0}]},
        {"endpoint": "endpoint.endpoint_id"},
    ),
    get(f"{v3}/gateway/endpoints/get", {"endpoint_id": "$endpoint"}),
    get(f"{v3}/gateway/endpoints/list"),
    post(f"{v3}/gateway/endpoints/update", {"endpoint_id": "$endpoint", "name": "ep2"}),
    post(f"{v3}/gateway/endpoints/set-tag", {"endpoint_id": "$endpoint", **tag("a", "b")}),
    delete(f"{v3}/gateway/endpoints/delete-tag", {"endpoint_id": "$endpoint", "key": "a"}),
    post(f"{v3}/gateway/endpoints/bindings/create", {"endpoint_id": "$endpoint", "resource_type": "scorer", "resource_id": "r"}),
    get(f"{v3}/gateway/endpoints/bindings/list", {"endpoint_id": "$endpoint"}),
    delete(f"{v3}/gateway/endpoints/bindings/delete", {"endpoint_id": "$endpoint", "resource_type": "scorer", "resource_id": "r"}),
    get("/gateway/mlflow/v1/models"),
    delete(f"{v3}/gateway/endpoints/delete", {"endpoint_id": "$endpoint"}),
    delete(f"{v3}/gateway/model-definitions/delete", {"model_definition_id": "$definition"}),
    delete(f"{v3}/gateway/secrets/delete", {"secret_id": "$secret"}),
    post(
        f"{v3}/gateway/budgets/create",
        {"budget_unit": "USD", "budget_amount": 5, "duration": {"unit": "DAYS", "value": 1}, "target_scope": "GLOBAL", "budget_action": "ALERT"},
        {"budget": "budget_policy.budget_policy_id"},
    ),
    get(f"{v3}/gateway/budgets/get", {"budget_policy_id": "$budget"}),
    get(f"{v3}/gateway/budgets/list"),
    get(f"{v3}/gateway/budgets/windows"),
    post(f"{v3}/gateway/budgets/update", {"budget_policy_id": "$budget", "budget_amount": 6}),
    delete(f"{v3}/gateway/budgets/delete", {"budget_policy_id": "$budget"}),
]

OTHERS = [
    post(
        f"{v2}/webhooks",
        {"name": "w", "url": "https://127.0.0.1:9/hook", "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}], "status": "DISABLED"},
        {"webhook": "webhook.webhook_id"},
    ),
    get(f"{v2}/webhooks"),
    get(f"{v2}/webhooks/$webhook"),
    patch(f"{v2}/webhooks/$webhook", {"webhook_id": "$webhook", "description": "d"}),
    delete(f"{v2}/webhooks/$webhook"),
    post("/graphql", {"query": 'query { mlflowGetExperiment(input: {experimentId: "0"}) { experiment { name } } }'}),
    post("/ajax-api/3.0/mlflow/mcp-servers", {"name": "io.example/x", "description": "d"}, status=0),
    get("/ajax-api/3.0/mlflow/mcp-servers", status=0),
    post(f"{v2}/runs/delete", {"run_id": "$run"}),
    delete(f"{v2}/logged-models/$model"),
    post(f"{v2}/experiments/delete", {"experiment_id": "$exp"}),
]

CALLS = [*EXPERIMENTS, *RUNS, *MODELS, *ARTIFACTS, *REGISTRY, *TRACES, *EVALUATION, *GATEWAY, *OTHERS]
