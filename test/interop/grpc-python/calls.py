"""Everything that a call of gRPC is made of, by the unmodified client of grpcio, through the connection named by the argument."""

import asyncio
import json
import sys
import threading
import time

import grpc
from checks import check, expect
from common import ENOUGH, channel, credentials, new_call, own_host, PORT, path, past, refused, release, told, until
from grpc_health.v1 import health_pb2, health_pb2_grpc

CONNECTION = sys.argv[1]
CLEARLY = f"[{CONNECTION}] "
MESSAGES = 20_000
MESSAGE = 4096
FOUR_MEBIBYTES = 4 * 1024 * 1024
open_channel = channel("alice", CONNECTION)
unary = open_channel.unary_unary(path("Unary"))
collect = open_channel.stream_unary(path("Collect"))
repeat = open_channel.unary_stream(path("Repeat"))
talk = open_channel.stream_stream(path("Talk"))


class Turns:
    """Requests that are sent one at a time, when it is said."""

    def __init__(self):
        self.next = threading.Semaphore(0)
        self.items = []

    def say(self, item):
        self.items.append(item)
        self.next.release()

    def __iter__(self):
        return self

    def __next__(self):
        self.next.acquire()
        item = self.items.pop(0)
        if item is None:
            raise StopIteration
        return item


def stands_still(number):
    """The number, once it has not changed for half a second."""
    seen, since = number(), time.monotonic()
    while time.monotonic() - since < 0.5:
        time.sleep(0.05)
        now = number()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


@check(CLEARLY + "a unary call, with metadata both ways, in binary too, and at its end")
def _():
    name, metadata = new_call()
    sent = (("x-text", "as it is"), ("x-bytes-bin", bytes(range(256))), ("x-empty-bin", b""))
    answer, call = unary.with_call(b"hello", metadata=metadata + sent, timeout=ENOUGH)
    expect(answer == b"hello", answer)
    expect(call.code() is grpc.StatusCode.OK)
    initial = dict(call.initial_metadata())
    expect(initial.get("x-initial") == "yes" and initial.get("x-initial-bin") == b"\x00\xfe\xff", initial)
    trailing = dict(call.trailing_metadata())
    expect(trailing.get("x-trailing") == "yes" and trailing.get("x-trailing-bin") == b"\x00\xff\x01", trailing)
    seen = dict(told(name)["metadata"])
    expect(seen.get("x-text") == "as it is", seen)
    expect(seen.get("x-bytes-bin") == bytes(range(256)).hex(), seen)
    expect(seen.get("x-empty-bin") == "", seen)
    expect(seen.get("user-agent", "").startswith("grpc-python/"), seen)


@check(CLEARLY + "metadata of one name keep their values apart, each way")
def _():
    name, metadata = new_call()
    two = [("x-two-bin", b"one"), ("x-two-bin", b"two!"), ("x-two", "a, b"), ("x-two", "c")]
    back = open_channel.unary_unary(path("Back"))
    _answer, call = back.with_call(b"", metadata=[*metadata, *two], timeout=ENOUGH)
    for seen in (call.initial_metadata(), call.trailing_metadata()):
        expect(sorted((key, value) for key, value in seen if key.startswith("x-two")) == sorted(two), seen)


@check(CLEARLY + "the token stays at the gateway, whose statement of who calls takes its place")
def _():
    name, metadata = new_call()
    forged = (("x-lockstep-assertion", "eyJhbGciOiJub25lIn0.e30."),)
    unary(b"", metadata=metadata + forged, timeout=ENOUGH)
    seen = told(name)["metadata"]
    expect(not any(key == "authorization" for key, _value in seen), seen)
    statements = [value for key, value in seen if key == "x-lockstep-assertion"]
    expect(len(statements) == 1 and statements[0] != forged[0][1], seen)


@check(CLEARLY + "a stream of the client’s")
def _():
    expect(json.loads(collect(iter([b"a", b"", b"bc"]), timeout=ENOUGH)) == [3, 3])
    expect(json.loads(collect(iter([]), timeout=ENOUGH)) == [0, 0])


@check(CLEARLY + "a stream of the server’s")
def _():
    expect(list(repeat(b"[3, 5]", timeout=ENOUGH)) == [b"\0\0\0\0.", b"\0\0\0\1.", b"\0\0\0\2."])
    expect(list(repeat(b"[0, 5]", timeout=ENOUGH)) == [])


@check(CLEARLY + "both ways at once, each message when it is sent")
def _():
    turns = Turns()
    call = talk(turns, timeout=ENOUGH)
    for message in (b"one", b"", b"three"):
        turns.say(message)
        expect(next(call) == message)
    turns.say(None)
    expect(next(call, None) is None)
    expect(call.code() is grpc.StatusCode.OK)


@check(CLEARLY + "a hundred calls at once")
def _():
    under_way = [unary.future(str(number).encode(), timeout=ENOUGH) for number in range(100)]
    expect([one.result() for one in under_way] == [str(number).encode() for number in range(100)])


@check(CLEARLY + "messages that are compressed")
def _():
    answer = unary(b"a" * 100_000, compression=grpc.Compression.Gzip, timeout=ENOUGH)
    expect(answer == b"a" * 100_000, len(answer))


@check(CLEARLY + "the client for asyncio")
def _():
    async def day():
        secure = credentials("alice", CONNECTION)
        async with grpc.aio.secure_channel(f"127.0.0.1:{PORT}", secure, own_host(CONNECTION)) as aio:
            expect(await aio.unary_unary(path("Unary"))(b"hello", timeout=ENOUGH) == b"hello")
            call = aio.stream_stream(path("Talk"))(timeout=ENOUGH)
            for message in (b"one", b"two"):
                await call.write(message)
                expect(await call.read() == message)
            await call.done_writing()
            expect(await call.read() is grpc.aio.EOF)
            expect(await call.code() is grpc.StatusCode.OK)

    asyncio.run(day())


@check(CLEARLY + "a message of 4 MiB each way")
def _():
    large = bytes(range(256)) * (FOUR_MEBIBYTES // 256)
    expect(unary(large, timeout=ENOUGH) == large)


@check(CLEARLY + "one that is larger than its reader allows is RESOURCE_EXHAUSTED in the server’s words")
def _():
    refused(lambda: unary(b"." * (FOUR_MEBIBYTES + 1), timeout=ENOUGH), grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max")


@check(CLEARLY + f"a stream of {MESSAGES} messages, whose server waits for its client")
def _():
    name, metadata = new_call()
    call = repeat(json.dumps([MESSAGES, MESSAGE]).encode(), metadata=metadata, timeout=2 * ENOUGH)
    expect(next(call)[:4] == b"\0\0\0\0")
    ahead = stands_still(lambda: told(name)["produced"])
    expect(0 < ahead < MESSAGES // 4, f"{ahead} messages were sent ahead of their reader")
    numbers = [int.from_bytes(message[:4], "big") for message in call]
    expect(numbers == list(range(1, MESSAGES)), len(numbers))
    expect(call.code() is grpc.StatusCode.OK)


@check(CLEARLY + f"one of {MESSAGES} messages, whose client waits for its server")
def _():
    name, metadata = new_call()
    sent = 0

    def messages():
        nonlocal sent
        for _number in range(MESSAGES):
            yield b"." * MESSAGE
            sent += 1

    call = collect.future(messages(), metadata=metadata + (("x-hold", "yes"),), timeout=2 * ENOUGH)
    until(lambda: sent > 0)
    ahead = stands_still(lambda: sent)
    release(name)
    expect(0 < ahead < MESSAGES // 4, f"{ahead} messages were sent ahead of their reader")
    expect(json.loads(call.result()) == [MESSAGES, MESSAGES * MESSAGE])


@check(CLEARLY + "a call’s deadline reaches its server")
def _():
    name, metadata = new_call()
    unary(b"", metadata=metadata, timeout=ENOUGH)
    remaining = told(name)["remaining"]
    # The client rounds up to what it has digits for.
    expect(ENOUGH - 5 < remaining <= ENOUGH + 1, remaining)
    name, metadata = new_call()
    unary(b"", metadata=metadata)
    remaining = told(name)["remaining"]
    expect(remaining is None or remaining > 1e6, remaining)


@check(CLEARLY + "and once it has passed, the call is DEADLINE_EXCEEDED, and over at its server")
def _():
    name, metadata = new_call()
    wait = open_channel.unary_unary(path("Wait"))
    refused(lambda: wait(b"", metadata=metadata, timeout=0.5), grpc.StatusCode.DEADLINE_EXCEEDED)
    until(lambda: told(name)["over"])


@check(CLEARLY + "a call that its client cancels is over at its server: before an answer, and amid one")
def _():
    name, metadata = new_call()
    call = open_channel.unary_unary(path("Wait")).future(b"", metadata=metadata)
    until(lambda: told(name)["metadata"] != [])
    expect(not told(name)["over"])
    call.cancel()
    until(lambda: told(name)["over"])
    name, metadata = new_call()
    stream = talk(Turns(), metadata=metadata)
    until(lambda: told(name)["metadata"] != [])
    expect(not told(name)["over"])
    stream.cancel()
    until(lambda: told(name)["over"])
    expect(stream.code() is grpc.StatusCode.CANCELLED, stream.code())


@check(CLEARLY + "every status, with the server’s words in any script")
def _():
    fail = open_channel.unary_unary(path("Fail"))
    says = "not ‘now’: 100% – später, 後で\n"
    for code in grpc.StatusCode:
        if code is grpc.StatusCode.OK:
            continue
        error = refused(lambda: fail(json.dumps([code.name, says]).encode(), timeout=ENOUGH), code)
        expect(error.details() == says, error.details())
        expect(dict(error.trailing_metadata()).get("x-why-bin") == b"\xff\x00", error.trailing_metadata())


@check(CLEARLY + "a method that the server does not have is UNIMPLEMENTED in its words")
def _():
    missing = open_channel.unary_unary(path("Missing"))
    refused(lambda: missing(b"", timeout=ENOUGH), grpc.StatusCode.UNIMPLEMENTED, "Method not found")


@check(CLEARLY + "grpc.health.v1.Health/Check")
def _():
    health = health_pb2_grpc.HealthStub(open_channel)
    answer = health.Check(health_pb2.HealthCheckRequest(), timeout=ENOUGH)
    expect(answer.status == health_pb2.HealthCheckResponse.SERVING, answer)
    unknown = health_pb2.HealthCheckRequest(service="nobody")
    refused(lambda: health.Check(unknown, timeout=ENOUGH), grpc.StatusCode.NOT_FOUND)


@check(CLEARLY + "grpc.health.v1.Health/Watch, which tells of each change when it happens")
def _():
    serving = health_pb2.HealthCheckResponse.ServingStatus
    set_health = past.unary_unary(path("SetHealth"))
    set_health(b"SERVING", timeout=ENOUGH)
    health = health_pb2_grpc.HealthStub(open_channel)
    watch = health.Watch(health_pb2.HealthCheckRequest(service="interop.Calls"), timeout=ENOUGH)
    expect(next(watch).status == serving.SERVING)
    for status in ("NOT_SERVING", "SERVING"):
        set_health(status.encode(), timeout=ENOUGH)
        seen = next(watch).status
        expect(seen == serving.Value(status), seen)
    watch.cancel()


@check(CLEARLY + "a client that watches its server’s health by itself, and calls none that is not well")
def _():
    set_health = past.unary_unary(path("SetHealth"))
    health = {"serviceName": "interop.Calls"}
    config = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": health}
    options = [("grpc.service_config", json.dumps(config))]
    try:
        set_health(b"NOT_SERVING", timeout=ENOUGH)
        with channel("alice", CONNECTION, options) as watching:
            one = watching.unary_unary(path("Unary"))
            refused(lambda: one(b"hello", timeout=ENOUGH), grpc.StatusCode.UNAVAILABLE, "backend unhealthy")
            set_health(b"SERVING", timeout=ENOUGH)
            expect(one(b"hello", wait_for_ready=True, timeout=ENOUGH) == b"hello")
    finally:
        set_health(b"SERVING", timeout=ENOUGH)


@check(CLEARLY + "pings of a client that wants to know whether its idle call stands")
def _():
    options = [("grpc.keepalive_time_ms", 200), ("grpc.keepalive_timeout_ms", 1000), ("grpc.http2.max_pings_without_data", 0)]
    with channel("alice", CONNECTION, options) as pinging:
        turns = Turns()
        call = pinging.stream_stream(path("Talk"))(turns, timeout=ENOUGH)
        turns.say(b"one")
        expect(next(call) == b"one")
        time.sleep(3)
        turns.say(b"two")
        expect(next(call) == b"two")
        turns.say(None)
        expect(next(call, None) is None and call.code() is grpc.StatusCode.OK)


@check(CLEARLY + "the connection’s own host, named by grpc.ssl_target_name_override")
def _():
    options = [("grpc.ssl_target_name_override", f"{CONNECTION}.localhost")]
    with grpc.secure_channel(f"127.0.0.1:{PORT}", credentials("alice", CONNECTION), options) as other:
        expect(other.unary_unary(path("Unary"))(b"hello", timeout=ENOUGH) == b"hello")


@check(CLEARLY + "or looked up, as names are, without any option")
def _():
    with grpc.secure_channel(f"{CONNECTION}.localhost:{PORT}", credentials("alice", CONNECTION)) as other:
        expect(other.unary_unary(path("Unary"))(b"hello", timeout=ENOUGH) == b"hello")
