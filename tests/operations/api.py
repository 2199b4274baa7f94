"""A service that answers as the API does to what `deploy/export`, `import` and `sweep` ask, with faults that the real one
has only now and then.

    python3 api.py FAULTS [USERS]

FAULTS is how many of ten requests go wrong: they are answered 503, before or after they were done, or not at all. USERS
is a file of records, one a line. Prints `Serving http://…` and serves until its standard input ends.
"""

import http.server
import json
import os
import random
import sys
import threading
import urllib.parse

# The entity tag of every record that nothing has changed since its creation.
CREATED = '"1"'
TIERS = ((100, "Gold"), (50, "Silver"), (-1, "Bronze"))


def tier(points):
    return next(name for above, name in TIERS if points > above)


class Users:
    """The store. Every method is called with the lock held."""

    def __init__(self, records):
        self.lock = threading.Lock()
        self.records = {}
        self.sequences = {}
        self.keys = {}
        for record in records:
            # What is given here alone and not stored.
            sequence = record.pop("sequence", 1)
            earned = record.pop("earned", record.get("points", 0))
            self.records[record["username"].lower()] = record
            self.sequences[record["username"].lower()] = (sequence, earned)

    def create(self, key, body):
        record = json.loads(body)
        name = record.get("username")
        if "status" in record or not isinstance(name, str) or record.get("points", 0) < 0:
            return 422, problem("invalid-user", 422)
        if key in self.keys:
            earlier, answer = self.keys[key]
            return (201, answer) if earlier == body else (422, problem("idempotency-key-reused", 422))
        if name.lower() in self.records:
            return 409, problem("username-taken", 409)
        self.records[name.lower()] = record
        self.sequences[name.lower()] = (1, record.get("points", 0))
        self.keys[key] = (body, dict(record))
        return 201, record

    def promote(self, name, tag):
        record = self.records.get(name.lower())
        if record is None:
            return 404, problem("user-not-found", 404)
        # Whoever has a status has been promoted, and nothing else changes a record here.
        if tag == CREATED and "status" in record:
            return 412, problem("precondition-failed", 412)
        record["status"] = tier(record.get("points", 0))
        return 200, record

    def read(self, name):
        record = self.records.get(name.lower())
        return (200, record) if record is not None else (404, problem("user-not-found", 404))

    def history(self, name):
        record = self.records.get(name.lower())
        # The directory still lists those who were erased a moment ago.
        if record is None or record.get("erased"):
            return 404, problem("user-not-found", 404)
        sequence, earned = self.sequences[name.lower()]
        page = {"username": name, "points": record.get("points", 0), "earned": earned}
        page["entries"] = [{"sequence": sequence, "change": "points" if sequence > 1 else "created"}]
        if sequence > 1:
            page["next"] = f"/user/history/{name}?limit=1&before={sequence}"
        return 200, page

    def list(self, limit, after):
        names = sorted(self.records)
        start = int(after or 0)
        # A page may be short, even empty, and still have a next one.
        step = random.randrange(0, limit + 1) if start + limit < len(names) else limit
        page = {"users": [self.records[name] for name in names[start : start + step]]}
        if start + step < len(names):
            page["next"] = f"/users?limit={limit}&after={start + step}"
        return 200, page


def problem(slug, status):
    return {"type": f"urn:problem:{slug}", "title": slug, "status": status, "detail": f"{slug}."}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        fault = random.choice(("before", "after", "silent")) if random.random() * 10 < FAULTS else None
        status, answer = 503, problem("try-again", 503)
        if fault != "before":
            status, answer = self.perform(body)
        if fault == "silent":
            self.close_connection = True
            return
        if fault == "after":
            status, answer = 503, problem("store-unavailable", 503)
        text = json.dumps(answer, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("content-length", str(len(text)))
        if status == 201:
            self.send_header("etag", CREATED)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = answer

    def perform(self, body):
        if self.headers.get("authorization") != "Bearer secret":
            return 401, problem("unauthenticated", 401)
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        parts = [urllib.parse.unquote(part) for part in url.path.split("/")[1:]]
        with USERS.lock:
            match self.command, *parts:
                case "POST", "user":
                    return USERS.create(self.headers["idempotency-key"], body)
                case "PUT", "user", "promote", name:
                    return USERS.promote(name, self.headers["if-match"])
                case "GET", "user", name:
                    return USERS.read(name)
                case "GET", "user", "history", name:
                    return USERS.history(name)
                case "POST", "events", "publish":
                    # Three calls, of which each says how many users it has looked at.
                    after = int(query.get("after", 0))
                    following = {"next": f"/events/publish?after={after + 1}"} if after < 2 else {}
                    return 200, {"published": 10 + after, "pending": after, **following}
                case "GET", "users":
                    return USERS.list(int(query["limit"]), query.get("after"))
        return 404, problem("no-such-route", 404)

    def log_message(self, *_):
        pass


FAULTS = int(sys.argv[1])
with open(sys.argv[2] if len(sys.argv) > 2 else os.devnull, encoding="utf-8") as lines:
    USERS = Users(map(json.loads, lines))
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(f"Serving http://127.0.0.1:{server.server_port}", flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
