"""A callback server for a co-signer node: it is asked about every task before the node takes part, and only its signed
"APPROVE" lets the node sign. This file owns the exchange: HTTP, the node's token, the signed answer. What is approved is
decided in decide.py.

    pip install -r requirements.txt
    python server.py config.json

RSA comes from `cryptography`, tokens from PyJWT: signing with a private key is nothing to write by hand.
"""
import base64
import hashlib
import json
import logging
import pathlib
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from decide import Refused, Rules, read_request

MAX_BODY = 4 << 20
CLOCK_SKEW = 60  # seconds that two clocks may be apart
MAX_LIFETIME = 3900  # a token of a node lives for minutes
ANSWER_EXPIRY = 120
MAX_SEEN = 100_000


class InvalidToken(Exception):
    """The token is not one that a known node made just now."""


class CallbackServer:
    def __init__(self, config, folder):
        self.rules = Rules(config)
        self.key = load_pem_private_key((folder / config["private_key"]).read_bytes(), None)
        self.node_keys = [load_pem_public_key((folder / name).read_bytes()) for name in config["node_public_keys"]]
        self.lock = threading.Lock()
        self.seen = {}

    def answer(self, token):
        try:
            body = self.open(token)
        except InvalidToken as error:
            return {"request_id": "", "status": 20, "error": str(error)}
        try:
            request = read_request(body)
        except Refused as error:
            return {"request_id": "", "status": 10, "error": str(error)}
        if request.kind == 0:
            return {"request_id": request.id, "status": 0, "action": "APPROVE"}
        if not self.same_as_before(request.id, body):
            return {"request_id": request.id, "status": 10, "action": "REJECT",
                    "error": "this request id was used for another request"}
        try:
            self.rules.decide(request)
        except Refused as error:
            return {"request_id": request.id, "status": 0, "action": "REJECT", "error": str(error)}
        return {"request_id": request.id, "status": 0, "action": "APPROVE"}

    def same_as_before(self, request_id, body):
        """A node repeats a request under its id; nobody may put another one in its place."""
        digest = hashlib.sha256(body).digest()
        with self.lock:
            before = self.seen.setdefault(request_id, digest)
            if len(self.seen) > MAX_SEEN:
                del self.seen[next(iter(self.seen))]
        return before == digest

    def open(self, token):
        """Verifies RS256 and nothing else, a node's key, the times. Returns the body inside."""
        claims = None
        for key in self.node_keys:
            try:
                claims = jwt.decode(token, key, algorithms=["RS256"], leeway=CLOCK_SKEW,
                                    options={"require": ["exp"], "verify_aud": False, "verify_iss": False, "verify_sub": False})
                break
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, ValueError) as error:
                raise InvalidToken(f"the token is not accepted: {error}") from error
        if claims is None:
            raise InvalidToken("no known node signed it")
        if claims["exp"] > time.time() + MAX_LIFETIME:
            raise InvalidToken("the token is valid for too long")
        try:
            body = base64.b64decode(claims["package_data"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidToken("the token has no package_data") from error
        return body

    def sign(self, answer):
        body = base64.b64encode(json.dumps(answer).encode()).decode()
        claims = {"package_data": body, "exp": int(time.time()) + ANSWER_EXPIRY, "iss": ""}
        return jwt.encode(claims, self.key, algorithm="RS256")


class Handler(BaseHTTPRequestHandler):
    timeout = 10  # of a connection that says nothing
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path != "/ping":
            return self.reply(404, "text/plain", "")
        return self.reply(200, "application/json", json.dumps({"server": "python-callback-server", "timestamp": int(time.time() * 1000)}))

    def do_POST(self):
        if self.path != "/v2/check":
            return self.reply(404, "text/plain", "")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            answer = {"request_id": "", "status": 10, "error": "the body is too long"}
        else:
            form = self.rfile.read(int(length)).decode("latin-1")
            answer = self.server.callback.answer(parse_qs(form, max_num_fields=10).get("TSS_JWT_MSG", [""])[0])
        logging.info("request %r status %d %s %r", answer["request_id"], answer["status"], answer.get("action", ""), answer.get("error", ""))
        return self.reply(200, "text/plain; charset=utf-8", self.server.callback.sign(answer))

    def reply(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """The answers are logged; requests are not."""


def main():
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if len(sys.argv) != 2:
        raise SystemExit("usage: python server.py config.json")
    path = pathlib.Path(sys.argv[1])
    config = json.loads(path.read_text())
    host, port = config["listen"].rsplit(":", 1)
    web = ThreadingHTTPServer((host, int(port)), Handler)
    web.daemon_threads = True
    web.callback = CallbackServer(config, path.parent)
    logging.info("listening on %s", config["listen"])
    web.serve_forever()


if __name__ == "__main__":
    main()
