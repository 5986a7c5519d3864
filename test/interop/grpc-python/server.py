"""An unmodified server of grpcio: each kind of call, of bytes, and the standard health service. Says its ports once it serves.

What became of a call is told by its `x-call`, to whoever comes past the gateway: no rule names `Tell`, `Release` and `SetHealth`.
"""

import json
import os
import sys
import threading
from collections import defaultdict
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

FAR_TOO_LONG = 120


class Call:
    def __init__(self):
        self.metadata = []
        self.remaining = None
        self.produced = 0
        self.consumed = 0
        self.over = threading.Event()
        self.released = threading.Event()

    def told(self):
        seen = [[name, value.hex() if isinstance(value, bytes) else value] for name, value in self.metadata]
        return {
            "metadata": seen,
            "remaining": self.remaining,
            "produced": self.produced,
            "consumed": self.consumed,
            "over": self.over.is_set(),
        }


calls = defaultdict(Call)
healths = health.HealthServicer()


def opened(context):
    metadata = [(one.key, one.value) for one in context.invocation_metadata()]
    call = calls[dict(metadata).get("x-call", "")]
    call.metadata = metadata
    call.remaining = context.time_remaining()
    # Where the call is over already, nobody would be called back.
    if not context.add_callback(call.over.set):
        call.over.set()
    return call


def unary(request, context):
    opened(context)
    context.send_initial_metadata((("x-initial", "yes"), ("x-initial-bin", b"\x00\xfe\xff")))
    context.set_trailing_metadata((("x-trailing", "yes"), ("x-trailing-bin", b"\x00\xff\x01")))
    return request


def back(request, context):
    """Says at the beginning and at the end what it was told."""
    own = [(key, value) for key, value in opened(context).metadata if key.startswith("x-two")]
    context.send_initial_metadata(own)
    context.set_trailing_metadata(own)
    return request


def collect(requests, context):
    call = opened(context)
    if dict(call.metadata).get("x-hold") == "yes":
        call.released.wait(FAR_TOO_LONG)
    sizes = []
    for request in requests:
        sizes.append(len(request))
        call.consumed = len(sizes)
    return json.dumps([len(sizes), sum(sizes)]).encode()


def repeat(request, context):
    call = opened(context)
    count, size = json.loads(request)
    for number in range(count):
        yield number.to_bytes(4, "big").ljust(size, b".")
        call.produced += 1


def talk(requests, context):
    call = opened(context)
    for request in requests:
        call.consumed += 1
        yield request


def fail(request, context):
    opened(context)
    context.set_trailing_metadata((("x-why-bin", b"\xff\x00"),))
    code, details = json.loads(request)
    context.abort(getattr(grpc.StatusCode, code), details)


def wait(_request, context):
    opened(context).over.wait(FAR_TOO_LONG)
    return b""


def tell(request, _context):
    return json.dumps(calls[request.decode()].told()).encode()


def release(request, _context):
    calls[request.decode()].released.set()
    return b""


def set_health(request, _context):
    healths.set("interop.Calls", health_pb2.HealthCheckResponse.ServingStatus.Value(request.decode()))
    return b""


handlers = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Back": grpc.unary_unary_rpc_method_handler(back),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Repeat": grpc.unary_stream_rpc_method_handler(repeat),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Wait": grpc.unary_unary_rpc_method_handler(wait),
    "Tell": grpc.unary_unary_rpc_method_handler(tell),
    "Release": grpc.unary_unary_rpc_method_handler(release),
    "SetHealth": grpc.unary_unary_rpc_method_handler(set_health),
}

server = grpc.server(futures.ThreadPoolExecutor(64), options=[("grpc.so_reuseport", 0)])
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("interop.Calls", handlers),))
health_pb2_grpc.add_HealthServicer_to_server(healths, server)
with open(os.environ["KEY_FILE"], "rb") as key, open(os.environ["CERTIFICATE_FILE"], "rb") as certificate:
    credentials = grpc.ssl_server_credentials(((key.read(), certificate.read()),))
ports = {
    "clear": server.add_insecure_port("127.0.0.1:0"),
    "tls": server.add_secure_port("127.0.0.1:0", credentials),
}
server.start()
print(json.dumps(ports), flush=True)
sys.stdin.read()
server.stop(0).wait()
