"""A small JSON service: GET / says where it runs, GET /primes?below=N counts primes, POST /echo answers what it got."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

MAX_BODY = 1 << 20
MAX_BELOW = 1_000_000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        url = urlparse(self.path)
        if url.path == "/":
            self.answer(200, {"host": os.uname().nodename, "python": sys.version.split()[0]})
        elif url.path == "/primes":
            self.primes(parse_qs(url.query).get("below", [""])[0])
        else:
            self.answer(404, {"error": "not found"})

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            return self.answer(400, {"error": "Content-Length missing or too large"})
        body = self.rfile.read(int(length))
        self.answer(200, {"echo": body.decode("utf-8", "replace")})

    def primes(self, below):
        if not (below.isascii() and below.isdigit() and len(below) < 9 and int(below) <= MAX_BELOW):
            return self.answer(400, {"error": f"below must be a number up to {MAX_BELOW}"})
        limit = int(below)
        sieve = bytearray([1]) * limit
        sieve[:2] = bytes(min(limit, 2))
        for number in range(2, int(limit**0.5) + 1):
            if sieve[number]:
                sieve[number * number :: number] = bytes(len(range(number * number, limit, number)))
        self.answer(200, {"below": limit, "primes": sum(sieve)})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    def stop(number, _frame):
        print(f"python: stopping on {signal.Signals(number).name}", flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    port = int(os.environ.get("PORT", "8000"))
    server = ThreadingHTTPServer(("0.0.0.0", port), Handler)
    server.daemon_threads = True
    print(f"python: listening on port {port}", flush=True)
    server.serve_forever()


main()
