"""The unmodified MLflow client through Lockstep, as a data scientist: all that people do with it in a day."""

import json
import os
import sys
import tempfile
from pathlib import Path

import mlflow
import pandas
import requests
from checks import check, expect
from common import refused
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag

alice, bob, eve = os.environ["ALICE_TOKEN"], os.environ["BOB_TOKEN"], os.environ["EVE_TOKEN"]
alice_id = os.environ["ALICE_ID"]
uri = os.environ["MLFLOW_TRACKING_URI"]
client = MlflowClient()
state = {}


def act_as(token):
    os.environ["MLFLOW_TRACKING_TOKEN"] = token


def rest(method, path, token=alice, **more):
    return requests.request(method, uri + path, headers={"authorization": f"Bearer {token}", **more.pop("headers", {})}, **more)


act_as(alice)


@check("experiments are made, found, renamed, tagged, deleted and restored")
def _():
    a = client.create_experiment("penguins")
    client.set_experiment_tag(a, "team", "birds")
    expect(client.get_experiment(a).tags["team"] == "birds")
    client.rename_experiment(a, "penguins-2")
    expect(client.get_experiment_by_name("penguins-2").experiment_id == a)
    client.delete_experiment(a)
    client.restore_experiment(a)
    expect(a in [e.experiment_id for e in client.search_experiments()])
    state["a"] = a


@check("an experiment that is not there is None to the client")
def _():
    expect(client.get_experiment_by_name("no such thing") is None)


@check("a run logs parameters, metrics, batches, tags and inputs, and ends")
def _():
    mlflow.set_experiment("penguins-2")
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({"a": 1, "b": "x"})
        for step in range(5):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
        mlflow.log_metrics({"acc": 0.5, "nan": float("nan")})
        mlflow.set_tag("note", "hello")
        mlflow.set_tags({"x": "1", "y": "2"})
        mlflow.log_input(mlflow.data.from_pandas(pandas.DataFrame({"x": [1, 2]}), name="tiny"), context="training")
    state["run"] = run.info.run_id
    got = client.get_run(run.info.run_id)
    expect(got.data.params["lr"] == "0.1" and got.data.metrics["acc"] == 0.5 and got.data.tags["note"] == "hello")
    expect(got.info.status == "FINISHED" and len(got.inputs.dataset_inputs) == 1)
    expect([m.value for m in client.get_metric_history(run.info.run_id, "loss")][1] == 0.5)
    client.log_batch(run.info.run_id, [Metric("late", 1.5, 1700000000000, 3)], [Param("p", "q")], [RunTag("t", "u")])
    client.delete_tag(run.info.run_id, "t")
    client.update_run(run.info.run_id, name="renamed")
    expect(client.get_run(run.info.run_id).info.run_name == "renamed")


@check("the run belongs to who made it, whatever the client said")
def _():
    got = client.get_run(state["run"])
    expect(got.info.user_id == "alice", got.info.user_id)
    expect(got.data.tags["mlflow.user"] == "alice", str(got.data.tags))
    expect(got.data.tags["lockstep.principal"] == alice_id)
    expect(got.data.tags["lockstep.decision"].startswith("dec_"))


@check("runs are searched, over pages and over experiments")
def _():
    for _ in range(3):
        client.create_run(state["a"])
    expect(len(client.search_runs([state["a"]], max_results=2)) == 2)
    expect(len(mlflow.search_runs([state["a"]], max_results=100)) == 4)
    expect(len(client.search_runs([state["a"]], filter_string="params.lr = '0.1'")) == 1)
    doomed = client.create_run(state["a"]).info.run_id
    client.delete_run(doomed)
    client.restore_run(doomed)
    expect(client.get_run(doomed).info.lifecycle_stage == "active")


@check("artifacts are written, listed, read and removed through the server")
def _():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "größe 100% a+b.txt")
        path.write_text("text")
        big = Path(folder, "big.bin")
        big.write_bytes(os.urandom(20_000_000))
        client.log_artifact(state["run"], str(big), "deep/er")
        client.log_text(state["run"], "hello", "notes/hello.txt")
        client.log_dict(state["run"], {"a": [1, 2]}, "d.json")
        expect({a.path for a in client.list_artifacts(state["run"])} == {"deep", "notes", "d.json"})
        got = client.download_artifacts(state["run"], "deep/er/big.bin", folder)
        expect(Path(got).read_bytes() == big.read_bytes())
    expect(mlflow.artifacts.load_text(f"runs:/{state['run']}/notes/hello.txt") == "hello")
    answer = rest("GET", "/get-artifact", params={"run_id": state["run"], "path": "notes/hello.txt"})
    expect(answer.text == "hello", answer.text)


@check("a model is logged, registered, aliased, tagged, staged, loaded and renamed")
def _():
    class Model(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input

    mlflow.set_experiment("penguins-2")
    with mlflow.start_run() as run:
        info = mlflow.pyfunc.log_model(name="model", python_model=Model(), pip_requirements=[])
        mlflow.log_metric("m", 1, model_id=info.model_id)
    registered = mlflow.register_model(info.model_uri, "penguin-classifier")
    expect(registered.version == "1" or registered.version == 1, repr(registered.version))
    client.set_registered_model_alias("penguin-classifier", "champion", 1)
    client.set_registered_model_tag("penguin-classifier", "k", "v")
    client.set_model_version_tag("penguin-classifier", 1, "k", "v")
    client.update_model_version("penguin-classifier", 1, "described")
    client.update_registered_model("penguin-classifier", "described")
    expect(client.get_model_version_by_alias("penguin-classifier", "champion").run_id == run.info.run_id)
    expect(mlflow.pyfunc.load_model("models:/penguin-classifier@champion").predict([1]) == [1])
    expect(len(client.search_model_versions("name = 'penguin-classifier'")) == 1)
    expect("penguin-classifier" in [m.name for m in client.search_registered_models()])
    client.delete_model_version_tag("penguin-classifier", 1, "k")
    client.delete_registered_model_alias("penguin-classifier", "champion")
    client.create_registered_model("short-lived")
    client.rename_registered_model("short-lived", "renamed-model")
    client.delete_registered_model("renamed-model")
    second = client.create_model_version("penguin-classifier", f"runs:/{run.info.run_id}/model", run.info.run_id)
    client.delete_model_version("penguin-classifier", second.version)
    state["model_id"] = info.model_id


@check("logged models are found, tagged and finished, and carry their author")
def _():
    found = mlflow.search_logged_models([state["a"]], output_format="list")
    expect(state["model_id"] in [m.model_id for m in found])
    client.set_logged_model_tags(state["model_id"], {"a": "b"})
    client.delete_logged_model_tag(state["model_id"], "a")
    model = client.get_logged_model(state["model_id"])
    expect(model.tags["lockstep.principal"] == alice_id, str(model.tags))
    expect(model.tags["mlflow.user"] == "alice", str(model.tags))


@check("traces are written, searched, tagged, assessed and removed")
def _():
    mlflow.set_experiment("penguins-2")

    @mlflow.trace
    def work(x):
        with mlflow.start_span("inner") as span:
            span.set_inputs({"x": x})
        return x + 1

    work(1)
    mlflow.flush_trace_async_logging()
    trace_id = mlflow.get_last_active_trace_id()
    state["trace"] = trace_id
    found = mlflow.search_traces(locations=[state["a"]], return_type="list")
    expect(trace_id in [t.info.trace_id for t in found], "not found")
    expect(len(mlflow.get_trace(trace_id).data.spans) == 2, "spans")
    mlflow.set_trace_tag(trace_id, "k", "v")
    mlflow.delete_trace_tag(trace_id, "k")
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True)
    info = mlflow.get_trace(trace_id).info
    expect(info.assessments[0].name == "good")
    expect(info.trace_metadata.get("lockstep.principal") == alice_id, str(info.trace_metadata))
    with mlflow.start_span("doomed") as doomed:
        pass
    mlflow.flush_trace_async_logging()
    client.delete_traces(state["a"], trace_ids=[doomed.trace_id])


@check("prompts are registered, versioned, aliased and loaded")
def _():
    mlflow.genai.register_prompt("greeting", "Hello {{name}}", tags={"a": "b"})
    mlflow.genai.register_prompt("greeting", "Hi {{name}}")
    mlflow.genai.set_prompt_alias("greeting", "live", 2)
    expect(mlflow.genai.load_prompt("prompts:/greeting@live").format(name="Ada") == "Hi Ada")
    expect("greeting" in [p.name for p in mlflow.genai.search_prompts()])


@check("evaluation datasets are made, filled, searched and removed")
def _():
    from mlflow.genai import datasets

    made = datasets.create_dataset(name="questions", experiment_id=[state["a"]])
    told = rest("GET", f"/api/3.0/mlflow/datasets/{made.dataset_id}").json()["dataset"]
    expect(told["created_by"] == "alice" and alice_id in told["tags"], str(told))
    made.merge_records([{"inputs": {"q": "1 + 1?"}, "expectations": {"a": "2"}}])
    expect(len(datasets.get_dataset(dataset_id=made.dataset_id).to_df()) == 1)
    expect(made.dataset_id in [d.dataset_id for d in datasets.search_datasets(experiment_ids=[state["a"]])])
    datasets.delete_dataset(dataset_id=made.dataset_id)


def both(method, path, body):
    plain = requests.request(method, os.environ["UPSTREAM"] + path, json=body, timeout=30)
    through = rest(method, path, json=body)
    expect(through.status_code == plain.status_code, f"{path}: {through.status_code} {plain.status_code}")
    expect(through.headers["content-type"] == plain.headers["content-type"], path)
    return through, plain


@check("answers are the server's own, byte for byte")
def _():
    for method, path, body in [
        ("GET", f"/api/2.0/mlflow/runs/get?run_id={state['run']}", None),
        ("GET", f"/api/2.0/mlflow/artifacts/list?run_id={state['run']}", None),
        ("GET", f"/api/2.0/mlflow/metrics/get-history?run_id={state['run']}&metric_key=loss", None),
        ("POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": [state["a"]], "max_results": 3}),
        ("POST", "/api/3.0/mlflow/traces/search", {"locations": [
            {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": state["a"]}}]}),
        ("GET", "/api/2.0/mlflow/runs/get?run_id=unknown", None),
        ("POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": [state["a"]], "filter": "nonsense"}),
        ("GET", "/api/3.0/mlflow/server-info", None),
        ("GET", "/static-files/index.html", None),
    ]:
        through, plain = both(method, path, body)
        expect(through.content == plain.content, path)


@check("lists that are filtered hold all that the server's do, where nothing is hidden")
def _():
    for method, path, body in [
        ("POST", "/api/2.0/mlflow/experiments/search", {"max_results": 100}),
        ("GET", "/api/2.0/mlflow/experiments/search?max_results=100", None),
        ("GET", "/api/2.0/mlflow/registered-models/search?max_results=100", None),
        ("GET", "/api/2.0/mlflow/model-versions/search?max_results=100", None),
    ]:
        through, plain = both(method, path, body)
        expect(through.json() == plain.json(), path)


@check("the page, its scripts and GraphQL answer to a bearer")
def _():
    expect("<html" in rest("GET", "/").text)
    expect(rest("GET", "/version").text == mlflow.__version__)
    query = {"query": "query($r: String!) { mlflowGetRun(input: {runId: $r}) { run { info { runId experimentId } } } }",
             "variables": {"r": state["run"]}, "operationName": None}
    answer = rest("POST", "/graphql", json=query).json()
    expect(answer["data"]["mlflowGetRun"]["run"]["info"]["runId"] == state["run"], str(answer))
    ajax = rest("GET", "/ajax-api/2.0/mlflow/runs/get", params={"run_id": state["run"]}).json()
    expect(ajax["run"]["info"]["run_id"] == state["run"])


client.create_experiment("long")
state["b"] = client.create_experiment("bobs")
print(json.dumps({"state": state}), flush=True)
sys.exit(0)
