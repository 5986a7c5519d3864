"""What must be impossible, tried at the real server by who may do something there (bob) and who may do nothing (eve)."""

import json
import os

import mlflow
import requests
from checks import check, expect
from common import refused
from mlflow import MlflowClient
from mlflow.entities import RunTag

alice, bob, eve = os.environ["ALICE_TOKEN"], os.environ["BOB_TOKEN"], os.environ["EVE_TOKEN"]
uri = os.environ["MLFLOW_TRACKING_URI"]
secret, own = os.environ["A_EXPERIMENT"], os.environ["B_EXPERIMENT"]
secret_run, secret_model = os.environ["A_RUN"], os.environ["A_MODEL"]
client = MlflowClient()
state = {}


def act_as(token):
    os.environ["MLFLOW_TRACKING_TOKEN"] = token


def rest(method, path, token, **more):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return requests.request(
        method, uri + path, headers={**headers, **more.pop("headers", {})}, allow_redirects=False, timeout=30, **more
    )


def tags(run_id):
    answer = rest("GET", "/api/2.0/mlflow/runs/get", alice, params={"run_id": run_id}).json()
    return {t["key"]: t["value"] for t in answer["run"]["data"]["tags"]}


@check("bob works in his own experiment and nowhere else")
def _():
    act_as(bob)
    mlflow.set_experiment("bobs")
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1)
        mlflow.log_text("own", "own.txt")
    state["run"] = run.info.run_id
    expect(tags(state["run"])["mlflow.user"] == "bob")
    refused(lambda: client.create_run(secret), says="dec_")
    refused(lambda: client.get_run(secret_run))
    refused(lambda: client.log_metric(secret_run, "m", 2))
    refused(lambda: client.log_text(secret_run, "x", "x.txt"))
    refused(lambda: client.list_artifacts(secret_run))
    refused(lambda: client.search_runs([secret]))
    refused(lambda: client.search_runs([own, secret]))
    refused(lambda: client.get_logged_model(secret_model))
    refused(lambda: client.get_registered_model("penguin-classifier"))
    refused(lambda: client.create_experiment("another"))
    refused(lambda: client.delete_experiment(secret))


@check("bob finds what he may see, and does not learn what else there is")
def _():
    act_as(bob)
    expect([e.experiment_id for e in client.search_experiments()] == [own])
    expect([m.name for m in client.search_registered_models()] == [])
    expect(len(client.search_model_versions()) == 0)
    expect(len(mlflow.search_runs(search_all_experiments=True)) == 1)
    act_as(eve)
    expect(client.search_experiments() == [] or list(client.search_experiments()) == [])
    refused(lambda: client.get_run(state["run"]))


@check("nobody makes a run in another's name, by any route")
def _():
    tag = {"key": "mlflow.user", "value": "mallory"}
    for prefix in ("/api", "/ajax-api"):
        made = rest("POST", f"{prefix}/2.0/mlflow/runs/create", bob, json={
            "experiment_id": own, "user_id": "mallory",
            "tags": [tag, {"key": "lockstep.principal", "value": "mallory"}],
        }).json()["run"]
        run = made["info"]["run_id"]
        expect(made["info"]["user_id"] == "bob", str(made))
        for method, path, body in [
            ("POST", "runs/set-tag", {"run_id": run, **tag}),
            ("POST", "runs/set-tag", {"run_uuid": run, "key": "lockstep.principal", "value": "x"}),
            ("POST", "runs/delete-tag", {"run_id": run, "key": "mlflow.user"}),
            ("POST", "runs/log-batch", {"run_id": run, "tags": [tag]}),
        ]:
            answer = rest(method, f"{prefix}/2.0/mlflow/{path}", bob, json=body)
            expect(answer.status_code == 403 and answer.json()["error_code"] == "PERMISSION_DENIED", answer.text)
        promptlab = rest("POST", "/ajax-api/2.0/mlflow/runs/create-promptlab-run", bob, json={
            "experiment_id": own, "user_id": "mallory", "prompt_template": "x", "prompt_parameters": [{}],
            "model_route": "x", "model_input": "x", "mlflow_version": "x",
        })
        expect(promptlab.status_code == 403, promptlab.text)
        expect(tags(run)["mlflow.user"] == "bob" and "mallory" not in json.dumps(tags(run)), str(tags(run)))
    act_as(bob)
    refused(lambda: client.set_tag(state["run"], "mlflow.user", "mallory"))
    refused(lambda: client.log_batch(state["run"], tags=[RunTag("MLFLOW.USER", "mallory")]))


@check("nobody reads another's artifacts through a model of their own")
def _():
    act_as(bob)
    client.create_registered_model("bobs-model")
    for source, run in [
        (f"mlflow-artifacts:/{secret}/{secret_run}/artifacts/notes", None),
        (f"runs:/{secret_run}/notes", secret_run),
        (f"models:/{secret_model}", None),
        ("models:/penguin-classifier/1", None),
        ("file:///etc", None),
        ("s3://bucket/x", None),
    ]:
        refused(lambda: client.create_model_version("bobs-model", source, run_id=run))
    version = client.create_model_version("bobs-model", f"runs:/{state['run']}/x", run_id=state["run"])
    expect([m.name for m in client.search_registered_models()] == ["bobs-model"])
    refused(lambda: client.rename_registered_model("bobs-model", "penguin-classifier"))
    client.delete_model_version("bobs-model", version.version)


@check("nobody finishes, or writes a metric to, another's logged model by way of their own")
def _():
    act_as(bob)
    made = client.create_logged_model(own, name="bobs")
    for path in (made.model_id, secret_model):
        answer = rest("PATCH", f"/api/2.0/mlflow/logged-models/{path}", bob,
                      json={"model_id": secret_model, "status": "LOGGED_MODEL_UPLOAD_FAILED"})
        expect(answer.status_code in (400, 403), answer.text)
    refused(lambda: client.log_metric(state["run"], "m", 1, model_id=secret_model))
    client.log_metric(state["run"], "m", 1, model_id=made.model_id)
    client.finalize_logged_model(made.model_id, "READY")
    read = rest("GET", f"/api/2.0/mlflow/logged-models/{secret_model}", alice).json()["model"]
    expect(read["info"]["status"] == "LOGGED_MODEL_READY", str(read["info"]))


@check("bob traces into his own experiment, and not into another's or another's trace")
def _():
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    act_as(bob)
    mlflow.set_experiment("bobs")
    with mlflow.start_span("work") as span:
        span.set_inputs({"x": 1})
    mlflow.flush_trace_async_logging()
    trace = mlflow.get_trace(span.trace_id)
    expect(trace.info.trace_metadata["mlflow.user"] == "bob", str(trace.info.trace_metadata))
    expect(len(trace.data.spans) == 1)
    export = ExportTraceServiceRequest()
    proto = export.resource_spans.add().scope_spans.add().spans.add(name="x", span_id=b"12345678")
    for experiment, trace_id in [(secret, b"0123456789abcdef"), (own, bytes.fromhex(os.environ["A_TRACE"][3:]))]:
        proto.trace_id = trace_id
        answer = rest("POST", "/v1/traces", bob, data=export.SerializeToString(), headers={
            "content-type": "application/x-protobuf", "x-mlflow-experiment-id": experiment})
        expect(answer.status_code == 403, answer.text)


@check("paths lead nowhere else")
def _():
    for path in [
        f"/api/2.0/mlflow-artifacts/artifacts/{own}/../{secret}/{secret_run}/artifacts/notes/hello.txt",
        f"/api/2.0/mlflow-artifacts/artifacts/{own}%2f..%2f{secret}/{secret_run}/artifacts/notes/hello.txt",
        f"/api/2.0/mlflow-artifacts/artifacts/{own}/%252e%252e/{secret}/{secret_run}/artifacts/notes/hello.txt",
        f"/api/2.0/mlflow-artifacts/artifacts/{secret}/{secret_run}/artifacts/notes/hello.txt",
        f"/api/2.0/mlflow-artifacts/artifacts?path={own}/../{secret}",
        f"/get-artifact?run_id={secret_run}&path=notes/hello.txt",
        f"/get-artifact?run_id={state['run']}&run_uuid={secret_run}&path=notes/hello.txt",
        f"/get-artifact?run_id={state['run']}&path=../../../{secret}/{secret_run}/artifacts/notes/hello.txt",
        f"/get-artifact?run_id={state['run']}&path=..%252f..%252fx",
        f"//api/2.0/mlflow/runs/get?run_id={secret_run}",
        f"/api/2.0/mlflow/runs/get?run_id={state['run']}&run_id={secret_run}",
        f"/ajax-api/2.0/mlflow/runs/get?run_uuid={secret_run}",
    ]:
        session = requests.Session()
        session.verify = os.environ["REQUESTS_CA_BUNDLE"]
        request = requests.Request("GET", uri + path, headers={"authorization": f"Bearer {bob}"}).prepare()
        request.url = uri + path
        answer = session.send(request, allow_redirects=False, timeout=30)
        expect(answer.status_code in (400, 403), f"{path}: {answer.status_code} {answer.text[:200]}")
        expect("hello" not in answer.text and secret_run not in answer.text.replace(path, ""), answer.text)


@check("GraphQL and the routes of the page are no side door")
def _():
    query = {"query": "query($r: String!) { mlflowGetRun(input: {runId: $r}) { run { info { runId } } } }",
             "variables": {"r": secret_run}}
    expect(rest("POST", "/graphql", bob, json=query).status_code == 403)
    expect(rest("GET", "/graphql", bob, params=query).status_code == 403)
    mine = {"query": "query GetRun($data: MlflowGetRunInput!) @component(name: \"x\") { mlflowGetRun(input: $data) { __typename "
                    "run { info { runId experimentId } experiment { experimentId name } modelVersions { name version } } } }",
            "variables": {"data": {"runId": state["run"]}}}
    answer = rest("POST", "/graphql", bob, json=mine)
    expect(answer.status_code == 200 and answer.json()["errors"] is None, answer.text)
    expect(answer.json()["data"]["mlflowGetRun"]["run"]["info"]["experimentId"] == own, answer.text)
    both = {"query": "{ a: mlflowGetRun(input: {runId: \"%s\"}) { run { info { runId } } } b: mlflowGetRun(input: {runId: \"%s\"}) "
                     "{ run { info { runId } } } }" % (state["run"], secret_run)}
    answer = rest("POST", "/graphql", bob, json=both)
    expect(answer.status_code == 403 and secret_run not in answer.text, answer.text)
    for path in [f"/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id={state['run']}&run_id={secret_run}&metric_key=m",
                 f"/ajax-api/2.0/mlflow/logged-models/{secret_model}/artifacts/files?artifact_file_path=MLmodel"]:
        expect(rest("GET", path, bob).status_code == 403, path)


@check("routes that nobody described, and those that are refused to everybody")
def _():
    for method, path, status in [
        ("POST", "/api/2.0/mlflow/users/create", 404),
        ("GET", "/api/2.0/mlflow/users/current", 404),
        ("DELETE", "/api/2.0/mlflow/runs/get", 404),
        ("POST", "/ajax-api/3.0/mlflow/assistant/message", 403),
        ("POST", "/gateway/proxy/x/v1", 403),
        ("POST", "/ajax-api/3.0/mlflow/demo/generate", 403),
    ]:
        answer = rest(method, path, alice, **({} if method == "GET" else {"json": {}}))
        expect(answer.status_code == status, f"{path}: {answer.status_code}")
        expect(answer.json()["error_code"] == ("ENDPOINT_NOT_FOUND" if status == 404 else "PERMISSION_DENIED"))
    expect(rest("POST", "/ajax-api/3.0/jobs/", bob, json={"job_name": "x", "params": {}}).status_code == 403)
    expect(rest("GET", "/api/2.0/mlflow/webhooks", alice).status_code == 403)


@check("no API reply is HTML or a redirect, with any credential or none")
def _():
    for token in (None, "", "nonsense", bob, eve, alice):
        for path in ("/api/2.0/mlflow/experiments/search", "/api/2.0/mlflow/runs/get?run_id=x", "/no/such", "/api/2.0/mlflow/"):
            answer = rest("GET", path, token, headers={"accept": "text/html"})
            expect("html" not in answer.headers["content-type"], f"{path} {answer.headers}")
            expect(not 300 <= answer.status_code < 400, path)
            if answer.status_code != 200:
                expect(set(answer.json()) >= {"error_code", "message"}, answer.text)


@check("who is not signed in is told so in MLflow's words")
def _():
    act_as("nonsense")
    refused(lambda: client.get_run(secret_run), code="UNAUTHENTICATED")


@check("a workspace is not chosen by a header")
def _():
    for name in ("X-MLFLOW-WORKSPACE", "X_MLFLOW_WORKSPACE"):
        answer = rest("GET", "/api/2.0/mlflow/experiments/search", alice, headers={name: "other"})
        expect(answer.status_code == 403, answer.text)
