"""A job in Python that knows nothing of Lockstep: Azure's SDK finds the identity, and renews it, by itself."""

import json
import os
import sys
import time

import requests
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.storage.blob import BlobClient

data, output, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
scope = "https://storage.azure.com/.default"
credential = DefaultAzureCredential()
expiries = set()
deadline = time.monotonic() + seconds
reads = 0
while time.monotonic() < deadline:
    assert BlobClient.from_blob_url(data, credential=credential).download_blob().readall().startswith(b"species,")
    expiries.add(credential.get_token(scope).expires_on)
    reads += 1
    time.sleep(0.5)
BlobClient.from_blob_url(f"{output}/result.json", credential=credential).upload_blob(json.dumps({"reads": reads}))
managed = ManagedIdentityCredential().get_token("https://ml.azure.com/.default").token
by_hand = requests.get(
    os.environ["MSI_ENDPOINT"],
    params={"api-version": "2017-09-01", "resource": "https://storage.azure.com"},
    headers={"secret": os.environ["MSI_SECRET"]},
    timeout=10,
).json()
print(json.dumps({"reads": reads, "expiries": len(expiries), "managed": len(managed) > 0, "by_hand": by_hand["token_type"]}))
