"""One large artifact, there and back, with the unmodified client."""

import hashlib
import os
import tempfile
from pathlib import Path

import mlflow
from checks import check, expect
from mlflow import MlflowClient

os.environ["MLFLOW_TRACKING_TOKEN"] = os.environ["ALICE_TOKEN"]
size = int(os.environ["MEGABYTES"])


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@check(f"an artifact of {size} MB goes up and comes down whole")
def _():
    client = MlflowClient()
    run = client.create_run("0").info.run_id
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.bin")
        with open(path, "wb") as file:
            for _ in range(size):
                file.write(os.urandom(1_000_000))
        client.log_artifact(run, str(path))
        got = mlflow.artifacts.download_artifacts(run_id=run, artifact_path="large.bin", dst_path=f"{folder}/down")
        expect(digest(got) == digest(path))
