"""A training job that outlives its tokens many times: the unmodified client, with MLFLOW_TRACKING_AUTH=lockstep."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import mlflow
import requests

seconds = float(sys.argv[1])


def token():
    return requests.get(
        os.environ["IDENTITY_ENDPOINT"],
        params={"api-version": "2019-08-01", "resource": "api://lockstep/connections/mlflow"},
        headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]},
        timeout=10,
    ).json()


def status_with(text):
    url = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/experiments/get-by-name"
    headers = {"authorization": f"Bearer {text}"}
    return requests.get(url, params={"experiment_name": "long"}, headers=headers, timeout=10).status_code


first = token()
while_fresh = status_with(first["access_token"])
mlflow.set_experiment("long")
expiries = set()
steps = 0
with mlflow.start_run() as run:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        mlflow.log_metric("loss", 1 / (steps + 1), step=steps)
        expiries.add(token()["expires_on"])
        steps += 1
        time.sleep(0.3)

    class Model(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.bin")
        path.write_bytes(os.urandom(5_000_000))
        mlflow.log_artifact(str(path), "checkpoints")
    info = mlflow.pyfunc.log_model(name="model", python_model=Model(), pip_requirements=[])
    version = mlflow.register_model(info.model_uri, "long-model").version

last = token()["access_token"]
said = {
    "run": run.info.run_id,
    "steps": steps,
    "expiries": len(expiries),
    "version": str(version),
    "while_fresh": while_fresh,
    "after_expiry": status_with(first["access_token"]),
    "last": last,
}
Path(os.environ["SAYS"]).write_text(json.dumps(said))
