"""The plugin against servers on loopback: `python -m unittest discover -s tests`."""

import io
import json
import os
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import entry_points

import requests

from lockstep_mlflow import LockstepAuth, NoTokenError
from lockstep_mlflow.tokens import Tokens


class Server:
    """Answers with what `answer(handler)` returns: status and JSON."""

    def __init__(self, answer):
        seen = self.seen = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self):
                length = int(self.headers.get("content-length") or 0)
                self.body = self.rfile.read(length)
                seen.append(self)
                status, value = answer(self)
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                if status == 302:
                    self.send_header("location", value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = respond

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


class IdentityEndpoint(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.count = 0
        self.status = 200
        self.endpoint = Server(self.give)
        self.addCleanup(self.endpoint.close)
        self.environ = {"IDENTITY_ENDPOINT": f"{self.endpoint.url}/msi/token", "IDENTITY_HEADER": "secret"}
        self.tokens = Tokens(self.environ, self.clock)

    def give(self, _):
        self.count += 1
        if self.status != 200:
            return self.status, {"message": "The job has ended."}
        return 200, {"access_token": f"t{self.count}", "expires_on": str(int(self.clock.now) + 100)}

    def test_keeps_a_token_for_half_of_its_life(self):
        self.assertEqual([self.tokens.get("r"), self.tokens.get("r")], ["t1", "t1"])
        self.clock.now += 51
        self.assertEqual(self.tokens.get("r"), "t2")
        request = self.endpoint.seen[0]
        self.assertEqual(request.path, "/msi/token?api-version=2019-08-01&resource=r")
        self.assertEqual(request.headers["x-identity-header"], "secret")

    def test_keeps_them_apart_by_resource(self):
        self.assertNotEqual(self.tokens.get("r"), self.tokens.get("s"))

    def test_does_not_give_the_refused_one_again(self):
        first = self.tokens.get("r")
        self.assertEqual(self.tokens.get("r", refused=first), "t2")

    def test_uses_the_old_one_while_the_endpoint_is_away_and_no_longer(self):
        self.tokens.get("r")
        self.status = 503
        self.clock.now += 60
        self.assertEqual(self.tokens.get("r"), "t1")
        self.clock.now += 40
        with self.assertRaisesRegex(NoTokenError, "503"):
            self.tokens.get("r")

    def test_says_what_the_endpoint_said(self):
        self.status = 403
        with self.assertRaisesRegex(NoTokenError, "The job has ended"):
            self.tokens.get("r")

    def test_asks_once_for_many_threads(self):
        threads = [threading.Thread(target=self.tokens.get, args=("r",)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.count, 1)

    def test_without_endpoint_and_file_says_what_is_missing(self):
        with self.assertRaisesRegex(NoTokenError, "LOCKSTEP_TOKEN_FILE"):
            Tokens({}).get("r")


class TokenFile(unittest.TestCase):
    def test_is_read_again_each_time(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "token")
            tokens = Tokens({"LOCKSTEP_TOKEN_FILE": path})
            for text in ("one", "two\n"):
                with open(path, "w") as file:
                    file.write(text)
                self.assertEqual(tokens.get("r"), text.strip())
            for broken in ("", "two tokens", "a\r\nX-Injected: b"):
                with open(path, "w") as file:
                    file.write(broken)
                with self.assertRaises(NoTokenError):
                    tokens.get("r")
            os.remove(path)
            with self.assertRaises(NoTokenError):
                tokens.get("r")


class Given:
    """Gives these tokens, one after the other each time one is refused."""

    def __init__(self, *texts):
        self.texts = list(texts)
        self.resources = []

    def get(self, resource, refused=None):
        self.resources.append(resource)
        if refused == self.texts[0] and len(self.texts) > 1:
            self.texts.pop(0)
        return self.texts[0]


class Auth(unittest.TestCase):
    def setUp(self):
        self.good = "good"
        self.server = Server(
            lambda request: (200 if request.headers["authorization"] == f"Bearer {self.good}" else 401, {})
        )
        self.addCleanup(self.server.close)
        self.environ = {"MLFLOW_TRACKING_URI": f"{self.server.url}/connections/birds"}

    def post(self, tokens, body, path="/connections/birds/api"):
        auth = LockstepAuth(tokens, self.environ)
        return requests.post(self.server.url + path, data=body, auth=auth, timeout=10)

    def test_asks_for_the_connection_of_the_address(self):
        tokens = Given("good")
        self.assertEqual(self.post(tokens, b"x").status_code, 200)
        self.assertEqual(tokens.resources, ["api://lockstep/connections/birds"])
        self.environ["MLFLOW_TRACKING_URI"] = "https://mlflow.lockstep.example"
        resource = LockstepAuth(tokens, self.environ)._resource("https://mlflow.lockstep.example/api/2.0")
        self.assertEqual(resource, "api://lockstep/connections/mlflow")

    def test_sends_a_refused_request_once_more_with_another_token(self):
        answer = self.post(Given("old", "good"), b"body")
        self.assertEqual(answer.status_code, 200)
        self.assertEqual([seen.body for seen in self.server.seen], [b"body", b"body"])

    def test_sends_a_file_from_where_it_began(self):
        body = io.BytesIO(b"skipped body")
        body.seek(8)
        self.assertEqual(self.post(Given("old", "good"), body).status_code, 200)
        self.assertEqual(self.server.seen[-1].body, b"body")

    def test_answers_the_refusal_where_there_is_no_other_token(self):
        self.assertEqual(self.post(Given("old"), b"x").status_code, 401)
        self.assertEqual(len(self.server.seen), 1)

    def test_tries_no_third_time(self):
        self.assertEqual(self.post(Given("old", "older", "good"), b"x").status_code, 401)
        self.assertEqual(len(self.server.seen), 2)

    def test_sends_no_token_to_another_server_or_in_clear(self):
        auth = LockstepAuth(Given("good"), self.environ)
        for url in ("http://elsewhere.example/", "https://elsewhere.example/", "ftp://127.0.0.1/"):
            with self.assertRaises(ValueError):
                auth(requests.Request("GET", url).prepare())

    def test_follows_to_another_server_without_a_token_though_it_asks_for_one(self):
        for host in ("127.0.0.1", "localhost"):
            elsewhere = Server(lambda _: (401, {}))
            self.addCleanup(elsewhere.close)
            target = f"{elsewhere.url.replace('127.0.0.1', host)}/connections/birds"
            server = Server(lambda _: (302, target))
            self.addCleanup(server.close)
            auth = LockstepAuth(Given("good"), {"MLFLOW_TRACKING_URI": server.url})
            answer = requests.get(f"{server.url}/connections/birds", auth=auth, timeout=10)
            self.assertEqual(answer.status_code, 401)
            self.assertEqual([seen.headers["authorization"] for seen in elsewhere.seen], [None])

    def test_renews_after_a_redirect_on_the_same_server(self):
        good = lambda request: request.headers["authorization"] == "Bearer good"
        server = Server(lambda at: (302, "/b") if at.path == "/a" else (200 if good(at) else 401, {}))
        self.addCleanup(server.close)
        auth = LockstepAuth(Given("old", "good"), {"MLFLOW_TRACKING_URI": server.url})
        self.assertEqual(requests.get(f"{server.url}/a", auth=auth, timeout=10).status_code, 200)


class Plugin(unittest.TestCase):
    def test_is_found_by_mlflow(self):
        (found,) = entry_points(group="mlflow.request_auth_provider", name="lockstep")
        provider = found.load()()
        self.assertEqual(provider.get_name(), "lockstep")
        self.assertIs(provider.get_auth(), provider.get_auth())


if __name__ == "__main__":
    unittest.main()
