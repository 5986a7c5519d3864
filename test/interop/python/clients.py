"""Unmodified Azure clients for Python against a running Lockstep. Prints one JSON line a check."""

import base64
import json
import os
import sys
import uuid

import msal
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import CertificateCredential, ClientAssertionCredential, ClientSecretCredential, WorkloadIdentityCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.models import RoleAssignmentCreateParameters
from azure.storage.blob import BlobServiceClient

env = os.environ
url, tenant = env["LOCKSTEP_URL"], env["TENANT_ID"]
authority = url
client_id, secret = env["CLIENT_ID"], env["CLIENT_SECRET"]
account = f"{url}/{env['STORAGE_ACCOUNT']}"
failed = False


def check(name):
    def run(body):
        global failed
        try:
            body()
            print(json.dumps({"check": name, "ok": True}), flush=True)
        except Exception as error:  # every failure of a check is reported, and the next one runs
            failed = True
            print(json.dumps({"check": name, "ok": False, "error": f"{type(error).__name__}: {error}"[:2000]}), flush=True)

    return run


def id_token():
    answer = requests.get(
        env["ID_TOKEN_URL"] + "&audience=api://AzureADTokenExchange",
        headers={"Authorization": f"Bearer {env['ID_TOKEN_SECRET']}"},
        timeout=10,
    )
    answer.raise_for_status()
    return answer.json()["value"]


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


by_secret = ClientSecretCredential(tenant, client_id, secret, authority=authority, disable_instance_discovery=True)
by_assertion = ClientAssertionCredential(tenant, client_id, id_token, authority=authority)


@check("azure-identity ClientSecretCredential")
def _():
    token = by_secret.get_token("https://storage.azure.com/.default")
    assert claims(token.token)["appid"] == client_id


@check("azure-identity ClientSecretCredential with a wrong secret: AADSTS7000215")
def _():
    wrong = ClientSecretCredential(tenant, client_id, "wrong", authority=authority, disable_instance_discovery=True)
    try:
        wrong.get_token("https://storage.azure.com/.default")
    except ClientAuthenticationError as error:
        assert "AADSTS7000215" in str(error), error
        return
    raise AssertionError("a wrong secret was accepted")


@check("azure-identity CertificateCredential, registered with lockstep app add-certificate")
def _():
    credential = CertificateCredential(
        tenant, client_id, env["CERTIFICATE_FILE"], authority=authority, disable_instance_discovery=True
    )
    assert claims(credential.get_token("https://storage.azure.com/.default").token)["appidacr"] == "2"


@check("azure-identity ClientAssertionCredential, federated")
def _():
    token = by_assertion.get_token("https://management.azure.com/.default")
    assert claims(token.token)["act"], "the token should carry the CI run as an actor"


@check("azure-identity WorkloadIdentityCredential, from a token file")
def _():
    with open("federated-token", "w", encoding="utf-8") as file:
        file.write(id_token())
    credential = WorkloadIdentityCredential(
        tenant_id=tenant, client_id=client_id, token_file_path="federated-token", authority=authority
    )
    assert credential.get_token("https://storage.azure.com/.default").token


@check("msal ConfidentialClientApplication, and its cache")
def _():
    application = msal.ConfidentialClientApplication(
        client_id, authority=f"{url}/{tenant}", client_credential=secret, instance_discovery=False
    )
    scopes = ["https://storage.azure.com/.default"]
    first, second = application.acquire_token_for_client(scopes), application.acquire_token_for_client(scopes)
    assert "access_token" in first, first
    assert second["token_source"] == "cache", second


blobs = BlobServiceClient(account, credential=by_secret).get_container_client(env["CONTAINER"])


@check("azure-storage-blob uploads, reads by range, lists")
def _():
    blobs.upload_blob("interop/py/small.txt", b"hello from python", overwrite=True, metadata={"kind": "interop"})
    small = blobs.get_blob_client("interop/py/small.txt")
    assert small.download_blob(offset=6, length=4).readall() == b"from"
    assert small.get_blob_properties().metadata == {"kind": "interop"}
    assert [blob.name for blob in blobs.list_blobs(name_starts_with="interop/py/")] == ["interop/py/small.txt"]


@check("azure-storage-blob uploads and reads 40 MiB in blocks")
def _():
    data = os.urandom(1024 * 1024) * 40
    client = BlobServiceClient(
        account, credential=by_secret, max_single_put_size=4 * 1024 * 1024, max_block_size=4 * 1024 * 1024
    ).get_blob_client(env["CONTAINER"], "interop/py/large.bin")
    client.upload_blob(data, overwrite=True)
    assert client.download_blob().readall() == data
    client.delete_blob()


@check("azure-storage-blob reads a denial: 403 AuthorizationPermissionMismatch with a decision id")
def _():
    other = BlobServiceClient(account, credential=by_secret).get_blob_client("field-notes", "nests/positions.csv")
    try:
        other.download_blob()
    except HttpResponseError as error:
        assert error.status_code == 403 and error.error_code == "AuthorizationPermissionMismatch", error
        assert "dec_" in str(error), error
        return
    raise AssertionError("it should have been denied")


@check("azure-mgmt-authorization lists role definitions and assignments; writing one is denied")
def _():
    arm = AuthorizationManagementClient(
        by_secret, env["SUBSCRIPTION_ID"], base_url=url, credential_scopes=[f"{url}/.default"]
    )
    scope = env["WORKSPACE_ID"]
    names = {definition.role_name for definition in arm.role_definitions.list(scope)}
    assert "AzureML Data Scientist" in names, names
    assert any(True for _ in arm.role_assignments.list_for_scope(scope))
    parameters = RoleAssignmentCreateParameters(
        role_definition_id=f"{scope}/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        principal_id=env["PRINCIPAL_ID"],
        principal_type="ServicePrincipal",
    )
    try:
        arm.role_assignments.create(scope, str(uuid.uuid4()), parameters)
    except HttpResponseError as error:
        assert error.status_code == 403 and error.error.code == "AuthorizationFailed", error
        return
    raise AssertionError("an application made itself Owner")


@check("requests get JSON, never a page or a redirect to sign in")
def _():
    for path in ["/subscriptions?api-version=2022-12-01", "/v1.0/users", "/admin/v1/me", f"/{tenant}/oauth2/v2.0/token"]:
        answer = requests.get(url + path, allow_redirects=False, timeout=10)
        assert answer.status_code in (400, 401, 403, 405), (path, answer.status_code)
        assert answer.headers["content-type"].startswith("application/json"), (path, answer.headers)


sys.exit(1 if failed else 0)
