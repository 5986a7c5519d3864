"""Who may not call, and who may no longer, told by the unmodified client of grpcio as its users read it."""

import itertools
import os
import time

import grpc
from checks import check, expect
from common import ENOUGH, asked, channel, new_call, past, path, refused, told, until
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

FOR_EVER = b"[1000000000, 65536]"


def ask(who, name="Unary"):
    call, metadata = new_call()
    with channel(who, "clear") as one:
        error = refused(lambda: one.unary_unary(path(name))(b"", metadata=metadata, timeout=ENOUGH), expected[who])
    expect(told(call)["metadata"] == [], "it reached the server")
    return error


expected = {
    None: grpc.StatusCode.UNAUTHENTICATED,
    "forged": grpc.StatusCode.UNAUTHENTICATED,
    "alice": grpc.StatusCode.PERMISSION_DENIED,
    "bob": grpc.StatusCode.PERMISSION_DENIED,
    "carol": grpc.StatusCode.PERMISSION_DENIED,
}


def told_in_full(error):
    """The details as grpcio-status reads them, which throws where they do not say what the status says."""
    status = rpc_status.from_call(error)
    expect(len(status.details) == 1, status)
    info = error_details_pb2.ErrorInfo()
    expect(status.details[0].Unpack(info), status)
    expect(info.domain == "lockstep", info)
    return info


@check("without a token, and with one that nobody issued, a call is UNAUTHENTICATED")
def _():
    for who in (None, "forged"):
        info = told_in_full(ask(who))
        expect(info.metadata["requestId"].startswith("req_"), info)


@check("who has no role reads PERMISSION_DENIED, with the decision and its reason")
def _():
    info = told_in_full(ask("bob"))
    expect(info.reason == "AuthorizationFailed", info)
    expect(info.metadata["reason"] == "missing-grant", info)
    expect(info.metadata["decision"].startswith("dec_"), info)


@check("who is denied by a policy reads which")
def _():
    info = told_in_full(ask("carol"))
    expect(info.metadata["reason"] == "deny-assignment", info)
    expect(info.metadata["policy"] == f"denyAssignment:{os.environ['DENY_ASSIGNMENT']}", info)


@check("a method that no rule names is PERMISSION_DENIED to everybody")
def _():
    info = told_in_full(ask("alice", "Tell"))
    expect(info.metadata["reason"] == "unknown-route", info)


@check("streams are refused so too, whichever end has begun")
def _():
    with channel("bob", "clear") as bobs:
        for work in (
            lambda: list(bobs.unary_stream(path("Repeat"))(b"[1, 1]", timeout=ENOUGH)),
            lambda: bobs.stream_unary(path("Collect"))(itertools.repeat(b"." * 65_536), timeout=ENOUGH),
            lambda: list(bobs.stream_stream(path("Talk"))(itertools.repeat(b"." * 65_536), timeout=ENOUGH)),
            lambda: list(health_pb2_grpc.HealthStub(bobs).Watch(health_pb2.HealthCheckRequest(), timeout=ENOUGH)),
        ):
            told_in_full(refused(work, grpc.StatusCode.PERMISSION_DENIED))


class Watched:
    """A stream of the server's that has begun, and goes on until it is cut."""

    def __init__(self, who, connection):
        self.name, metadata = new_call()
        self.channel = channel(who, connection)
        self.call = self.channel.unary_stream(path("Repeat"))(FOR_EVER, metadata=metadata)
        next(self.call)

    def cut(self, since, code, says):
        """Reads to its end, which must come within a second of that moment."""
        error = refused(lambda: [None for _message in self.call], code, says)
        took = time.monotonic() - since
        expect(took < 1, f"it took {took:.2f} s")
        told_in_full(error)
        until(lambda: told(self.name)["over"])


@check("who loses the right amid a stream is cut within a second, with PERMISSION_DENIED; who keeps it is not")
def _():
    spared = Watched("dora", "clear")
    streams = [Watched("alice", connection) for connection in ("clear", "tls")]
    silent = channel("alice", "clear")
    call, metadata = new_call()
    waiting = silent.unary_unary(path("Wait")).future(b"", metadata=metadata)
    until(lambda: told(call)["metadata"] != [])
    since = time.monotonic()
    asked("remove alice")
    for stream in streams:
        stream.cut(since, grpc.StatusCode.PERMISSION_DENIED, "missing grant")
    told_in_full(refused(lambda: waiting.result(timeout=1), grpc.StatusCode.PERMISSION_DENIED))
    until(lambda: told(call)["over"])
    ask("alice")
    before = told(spared.name)["produced"]
    for _number in range(100):
        next(spared.call)
    until(lambda: told(spared.name)["produced"] > before)
    spared.call.cancel()


@check("who is disabled amid a stream is cut so, with UNAUTHENTICATED")
def _():
    stream = Watched("dora", "clear")
    since = time.monotonic()
    asked("disable dora")
    stream.cut(since, grpc.StatusCode.UNAUTHENTICATED, "")
