"""What must not be believed. `python -m unittest` in this folder, with PyJWT installed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lockstep_identity import LockstepASGI, LockstepWSGI, Verifier
from lockstep_identity.assertion import AssertionRefused, Request, key_id, verify_assertion
from lockstep_identity.keys import Keys

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
#: Signs tokens.
TOKENS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
REQUEST = Request("GET", "127.0.0.1:8888", "/connections/nb/api/me?a=%2F..&b=1")
ISSUER = "https://lockstep.example/t/v2.0"


def digest(target: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(target.encode()).digest()).rstrip(b"=").decode()


def claims(**over: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {
        "iss": ISSUER,
        "aud": "nb",
        "sub": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
        "name": "Alice",
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "jti": "req_1",
        "method": "GET",
        "host": "127.0.0.1:8888",
        "path_sha256": digest(REQUEST.target),
    }
    made.update(over)
    return {name: value for name, value in made.items() if value is not None}


def assertion(made: dict[str, Any], key: Any = KEY, algorithm: str = "ES256", **header: Any) -> str:
    return jwt.encode(made, key, algorithm, headers={"typ": "lockstep-assertion+jwt", "kid": "k1", **header})


def verify(text: str, request: Request = REQUEST) -> dict[str, Any]:
    return verify_assertion(text, KEY.public_key(), issuer=ISSUER, audience="nb", request=request)


class Assertions(unittest.TestCase):
    def test_one_that_holds_is_believed(self) -> None:
        self.assertEqual(verify(assertion(claims()))["name"], "Alice")

    def test_one_signed_with_a_key_of_another_kind_is_not(self) -> None:
        told: dict[str, Any] = {"issuer": ISSUER, "audience": "nb", "request": REQUEST}
        larger = ec.generate_private_key(ec.SECP384R1())
        for text, key in (
            (assertion(claims(), TOKENS, "RS256"), TOKENS.public_key()),
            (assertion(claims(), TOKENS, "RS256"), KEY.public_key()),
            (assertion(claims(), TOKENS, "PS256"), TOKENS.public_key()),
            (assertion(claims(), larger, "ES384"), larger.public_key()),
            (assertion(claims()), TOKENS.public_key()),
            (assertion(claims(), "x" * 64, "HS256"), "x" * 64),
        ):
            with self.subTest(text[:40]), self.assertRaises(AssertionRefused):
                verify_assertion(text, key, **told)

    def test_one_for_another_request_is_not(self) -> None:
        for request in (
            Request("POST", REQUEST.host, REQUEST.target),
            Request("GET", "other:8888", REQUEST.target),
            Request("GET", REQUEST.host, "/connections/nb/api/me"),
            Request("GET", REQUEST.host, REQUEST.target.replace("%2F", "/")),
        ):
            with self.subTest(request), self.assertRaises(AssertionRefused):
                verify(assertion(claims()), request)

    def test_claims_that_do_not_hold(self) -> None:
        now = int(time.time())
        wrong: list[dict[str, Any]] = [
            {"iss": "https://evil.example/t/v2.0"},
            {"iss": ISSUER + "/"},
            {"aud": "other"},
            {"aud": ["nb"]},
            {"aud": ["nb", "other"]},
            {"exp": now - 60},
            {"nbf": now + 600},
            {"exp": now + 61},
            {"exp": str(now + 60)},
            {"iat": float(now)},
            {"jti": 5},
            {"method": ["GET"]},
            {"path_sha256": ""},
            *({name: None} for name in ("iss", "aud", "sub", "iat", "nbf", "exp", "jti")),
            *({name: None} for name in ("method", "host", "path_sha256")),
        ]
        for over in wrong:
            with self.subTest(over), self.assertRaises(AssertionRefused):
                verify(assertion(claims(**over)))

    def test_a_refusal_says_what_this_service_expects_and_nothing_of_the_statement(self) -> None:
        for over, expected in (
            ({"iss": "https://evil.example/t/v2.0"}, f"it is not of the issuer {ISSUER}"),
            ({"aud": "other"}, "it is not for the audience nb"),
        ):
            with self.subTest(over), self.assertRaises(AssertionRefused) as raised:
                verify(assertion(claims(**over)))
            self.assertEqual(str(raised.exception), expected)

    def test_signatures_that_are_none(self) -> None:
        whole = assertion(claims())
        head, body, signature = whole.split(".")
        for text in (
            assertion(claims(), OTHER),
            assertion(claims(), "x" * 64, "HS256"),
            f"{head}.{body}.",
            f"{head}.{body}",
            f"{head}.{body}.{signature[:-8]}AAAAAAAA",
            "",
            "forged",
            jwt.encode(claims(), "", "none", headers={"typ": "lockstep-assertion+jwt", "kid": "k1"}),
            signed_with_the_public_key(),
            assertion(claims(), OTHER, jwk=json.loads(jwt.algorithms.ECAlgorithm.to_jwk(OTHER.public_key()))),
            assertion(claims(), jwk=json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))),
            assertion(claims(), jku="https://evil.example/keys"),
            assertion(claims(), x5u="https://evil.example/cert"),
            assertion(claims(), kid="../../etc/passwd"),
            assertion(claims(), kid="k1' or '1'='1"),
            assertion(claims(), kid=""),
            assertion(claims(), kid="k" * 200),
            f"{head}.{body}.{signature}.{signature}",
            f"{whole} ",
            f"{whole}\n",
            f"{head}.{body}.{signature}==",
            f" {whole}\n{whole}",
        ):
            with self.subTest(text[:40]), self.assertRaises(AssertionRefused):
                verify(text)

    def test_a_token_of_another_type_is_none(self) -> None:
        for header in ({"typ": "JWT"}, {"typ": "at+jwt"}, {"typ": None}):
            with self.subTest(header), self.assertRaises(AssertionRefused):
                key_id(assertion(claims(), **header))


def signed_with_the_public_key() -> str:
    """HS256 with what everybody knows for a secret: the confusion of RFC 8725 §2.1. PyJWT itself would not make it."""
    pem = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = {"alg": "HS256", "typ": "lockstep-assertion+jwt", "kid": "k1"}
    signing = b".".join(encoded(json.dumps(part).encode()) for part in (header, claims()))
    return (signing + b"." + encoded(hmac.digest(pem, signing, "sha256"))).decode()


def encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class OneKey:
    """In place of a key set over the network."""

    def __init__(self, fault: Exception | None = None) -> None:
        self._fault = fault

    def key(self, kid: str) -> Any:
        if self._fault is not None:
            raise self._fault
        return KEY.public_key() if kid == "k1" else None


def verifier(fault: Exception | None = None, **over: Any) -> Verifier:
    return Verifier(issuer=ISSUER, audience="nb", jwks_url="", keys=OneKey(fault), **over)  # type: ignore[arg-type]


def wsgi(environ: dict[str, Any], made: Verifier | None = None) -> tuple[str, bytes, dict[str, Any] | None]:
    """The status, the body, and what the application was given, if it was asked."""
    seen: list[dict[str, Any]] = []
    status: list[str] = []

    def app(given: dict[str, Any], start: Any) -> list[bytes]:
        seen.append(given)
        start("200 OK", [])
        return [b"in"]

    base = {"REQUEST_METHOD": "GET", "HTTP_HOST": REQUEST.host, "RAW_URI": REQUEST.target}
    answer = LockstepWSGI(app, made or verifier())({**base, **environ}, lambda line, _: status.append(line))
    return status[0], b"".join(answer), seen[0] if seen else None


class WSGI(unittest.TestCase):
    def test_gives_the_application_who_is_asking_and_not_the_statement(self) -> None:
        for raw in ("RAW_URI", "REQUEST_URI"):
            given = {"HTTP_X_LOCKSTEP_ASSERTION": assertion(claims(lockstep_chain=[{"kind": "user", "id": "a", "name": "A"}]))}
            status, _, seen = wsgi({"RAW_URI": None, raw: REQUEST.target, **given})
            self.assertEqual(status, "200 OK")
            assert seen is not None
            self.assertEqual((seen["lockstep.identity"].name, seen["lockstep.identity"].chain[0].id), ("Alice", "a"))
            self.assertNotIn("HTTP_X_LOCKSTEP_ASSERTION", seen)

    def test_lets_nobody_else_in(self) -> None:
        good = assertion(claims())
        for environ in (
            {},
            {"HTTP_X_LOCKSTEP_ASSERTION": ""},
            {"HTTP_X_LOCKSTEP_ASSERTION": f"{good},{good}"},
            {"HTTP_X_LOCKSTEP_ASSERTION": good, "REQUEST_METHOD": "POST"},
            {"HTTP_X_LOCKSTEP_ASSERTION": good, "HTTP_HOST": "other"},
            {"HTTP_X_LOCKSTEP_ASSERTION": good, "RAW_URI": "/other"},
            {"HTTP_X_LOCKSTEP_ASSERTION": good, "RAW_URI": "http://127.0.0.1:8888" + REQUEST.target},
            # What a server has decoded is not what was received.
            {"HTTP_X_LOCKSTEP_ASSERTION": good, "RAW_URI": None, "PATH_INFO": REQUEST.target},
            {"lockstep.identity": "forged"},
        ):
            with self.subTest(environ):
                status, body, seen = wsgi(environ)
                self.assertEqual((status, seen), ("401 Unauthorized", None))
                self.assertEqual(json.loads(body)["error"]["code"], "AuthenticationFailed")

    def test_lets_nobody_in_while_keys_cannot_be_had(self) -> None:
        status, body, seen = wsgi({"HTTP_X_LOCKSTEP_ASSERTION": assertion(claims())}, verifier(OSError("away at 10.0.0.1")))
        self.assertEqual((status, seen), ("503 Service Unavailable", None))
        self.assertNotIn(b"10.0.0.1", body)

    def test_believes_a_statement_once_if_told_so(self) -> None:
        once = verifier(once=True)
        given = {"HTTP_X_LOCKSTEP_ASSERTION": assertion(claims())}
        self.assertEqual([wsgi(given, once)[0][:3] for _ in range(2)], ["200", "401"])
        other = {"HTTP_X_LOCKSTEP_ASSERTION": assertion(claims(jti="req_2"))}
        self.assertEqual(wsgi(other, once)[0], "200 OK")


def asgi(headers: list[tuple[bytes, bytes]], **over: Any) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """What was sent, and the scope that the application was given, if it was asked."""
    sent: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []

    async def app(scope: dict[str, Any], _: Any, __: Any) -> None:
        seen.append(scope)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    path, _, query = REQUEST.target.partition("?")
    base = {
        "type": "http",
        "method": "GET",
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", REQUEST.host.encode()), *headers],
    }
    asyncio.run(LockstepASGI(app, verifier())({**base, **over}, receive, send))
    return sent, seen[0] if seen else None


class ASGI(unittest.TestCase):
    def test_gives_the_application_who_is_asking_and_not_the_statement(self) -> None:
        sent, seen = asgi([(b"x-lockstep-assertion", assertion(claims()).encode())], state={"kept": 1})
        assert seen is not None
        self.assertEqual((sent, seen["state"]["lockstep"].name, seen["state"]["kept"]), ([], "Alice", 1))
        self.assertEqual(seen["headers"], [(b"host", REQUEST.host.encode())])

    def test_lets_nobody_else_in(self) -> None:
        good = assertion(claims()).encode()
        name = b"x-lockstep-assertion"
        for headers, over in (
            ([], {}),
            ([(name, good), (name, good)], {}),
            ([(name, good), (b"x_lockstep_assertion", b"forged")], {}),
            ([(name, good), (b"host", b"other")], {}),
            ([(name, good)], {"method": "POST"}),
            ([(name, good)], {"query_string": b""}),
            ([(name, good)], {"raw_path": None}),
            ([(name, good)], {"raw_path": b"/other"}),
            ([(name, good)], {"type": "carrier-pigeon"}),
            ([], {"state": {"lockstep": "forged"}}),
        ):
            with self.subTest(str(headers)[:60] + str(over)):
                sent, seen = asgi(headers, **over)
                self.assertEqual((sent[0].get("status"), seen), (401, None))

    def test_closes_a_web_socket_that_nobody_has_vouched_for(self) -> None:
        sent, seen = asgi([], type="websocket")
        self.assertEqual((sent[0]["type"], sent[0]["code"], seen), ("websocket.close", 1008, None))
        _, let_in = asgi([(b"x-lockstep-assertion", assertion(claims()).encode())], type="websocket")
        self.assertIsNotNone(let_in)

    def test_leaves_the_life_of_the_server_alone(self) -> None:
        _, seen = asgi([], type="lifespan")
        self.assertIsNotNone(seen)


class KeySets(unittest.TestCase):
    def test_two_keys_of_one_name_are_none(self) -> None:
        with served({"keys": [published("k1"), published("k1"), published("k2")]}) as (url, ca, _):
            keys = Keys(url, ca_file=ca)
            self.assertIsNone(keys.key("k1"))
            self.assertIsNotNone(keys.key("k2"))

    def test_are_asked_for_seldom_whoever_asks(self) -> None:
        tokens = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(TOKENS.public_key())), "kid": "x", "use": "sig"}
        with served({"keys": [published("k1"), tokens, {"kty": "oct", "kid": "y", "k": "AAAA"}]}) as (url, ca, asked):
            keys = Keys(url, ca_file=ca, pause_seconds=60)
            self.assertIsNotNone(keys.key("k1"))
            for name in ("x", "y", "k2", "k3", "../k1"):
                self.assertIsNone(keys.key(name))
            self.assertEqual(len(asked), 1)

    def test_a_new_key_is_found_and_an_old_one_kept_while_the_server_is_away(self) -> None:
        documents = {"keys": [published("k1")]}
        with served(documents) as (url, ca, _):
            keys = Keys(url, ca_file=ca, pause_seconds=0)
            self.assertIsNone(keys.key("k2"))
            documents["keys"].append(published("k2"))
            self.assertIsNotNone(keys.key("k2"))
        self.assertIsNone(keys.key("k3"))
        self.assertIsNotNone(keys.key("k1"))

    def test_are_fetched_over_tls_from_whom_is_trusted(self) -> None:
        with self.assertRaises(ValueError):
            Keys("http://lockstep.example/keys")
        with served({"keys": []}) as (url, _, __), self.assertRaises(OSError):
            Keys(url).key("k1")


    def test_do_not_come_from_elsewhere_nor_from_what_is_no_key_set(self) -> None:
        documents: dict[str, Any] = {"keys": [published("k1")]}
        with served(documents) as (url, ca, asked):
            keys = Keys(url, ca_file=ca, pause_seconds=0)
            self.assertIsNotNone(keys.key("k1"))
            for broken in ({"location": "/elsewhere"}, {"keys": 5}, {}, {"keys": [5]}):
                documents.clear()
                documents.update(broken)
                self.assertIsNone(keys.key("k2"))
            self.assertEqual(asked, ["/keys"] * 5)


def published(kid: str) -> dict[str, Any]:
    key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))
    return {**key, "kid": kid, "use": "sig"}


class served:
    """A key set on a port of its own, with a certificate of its own."""

    def __init__(self, document: dict[str, Any]) -> None:
        asked: list[str] = []

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802
                asked.append(self.path)
                body = json.dumps(document).encode()
                self.send_response(302 if "location" in document else 200)
                if "location" in document:
                    self.send_header("location", document["location"])
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._directory = tempfile.TemporaryDirectory()
        certificate, key = (str(Path(self._directory.name, name)) for name in ("c.pem", "k.pem"))
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        self._server = HTTPServer(("127.0.0.1", 0), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._given = (f"https://localhost:{self._server.server_port}/keys", certificate, asked)

    def __enter__(self) -> tuple[str, str, list[str]]:
        return self._given

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._directory.cleanup()


if __name__ == "__main__":
    unittest.main()
