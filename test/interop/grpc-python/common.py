"""What the checks of gRPC share."""

import itertools
import json
import os
import sys
import time

import grpc
from checks import expect

TOKENS = json.loads(os.environ["TOKENS"])
PORT = os.environ["GATEWAY_PORT"]
with open(os.environ["CA_FILE"], "rb") as file:
    CA = file.read()
ENOUGH = 30
numbers = itertools.count(1)


def until(holds, seconds=10):
    """Waits for what becomes true without a word."""
    deadline = time.monotonic() + seconds
    while not holds():
        expect(time.monotonic() < deadline, "it did not become so in time")
        time.sleep(0.02)


def asked(what):
    """Asks whoever started this to change something; it has happened when this returns."""
    print(json.dumps({"do": what}), flush=True)
    expect(sys.stdin.readline().strip() == what, f"{what} was not done")


def credentials(who, connection):
    tls = grpc.ssl_channel_credentials(CA)
    if who is None:
        return tls
    token = grpc.access_token_call_credentials(TOKENS[who][connection])
    return grpc.composite_channel_credentials(tls, token)


def own_host(connection):
    """The connection's own host, as a client is told that cannot look it up."""
    return [("grpc.default_authority", f"{connection}.localhost:{PORT}")]


def channel(who, connection, options=(), target=f"127.0.0.1:{PORT}"):
    return grpc.secure_channel(target, credentials(who, connection), [*own_host(connection), *options])


def path(name):
    return f"/interop.Calls/{name}"


past = grpc.insecure_channel(f"127.0.0.1:{os.environ['SERVER_PORT']}")


def told(call):
    """What the server knows of a call, asked past the gateway."""
    return json.loads(past.unary_unary(path("Tell"))(call.encode(), timeout=ENOUGH))


def release(call):
    past.unary_unary(path("Release"))(call.encode(), timeout=ENOUGH)


def new_call():
    """The name of a call, and the metadata that tells the server of it."""
    name = f"call-{os.getpid()}-{next(numbers)}"
    return name, (("x-call", name),)


def refused(work, code, says=""):
    """The work must fail with this status; answers the error."""
    try:
        work()
    except grpc.RpcError as error:
        expect(error.code() is code, f"{error.code()}: {error.details()}")
        expect(says in error.details(), error.details())
        return error
    raise AssertionError("it did not fail")
