"""What `export`, `import` and `awards-from-amqp` share: requests to the API with retries, and reports.

Needs only Python 3.9 or later.
"""

import collections
import concurrent.futures
import http.client
import json
import os
import random
import sys
import threading
import time
import urllib.parse

# Concurrent requests. Each host of the service can serve some hundreds.
WORKERS = 16
# Seconds for which a request is repeated, and which a single try may take.
PATIENCE = 120
TIMEOUT = 30
# Statuses with which a proxy or a function tells that a retry may help.
TEMPORARY = {429, 502, 503, 504}
# Set when there is no point in trying any longer.
STOPPING = threading.Event()


class GiveUp(Exception):
    """The transfer cannot go on; the message says why and what to do."""


class Answer:
    """A complete answer of the API."""

    def __init__(self, status, body, tag=None):
        self.status = status
        self.body = body
        self.tag = tag

    def json(self):
        """The body as `parse` reads it. Raises `GiveUp` if it is not JSON: every function answers JSON."""
        try:
            return parse(self.body)
        except ValueError:
            raise GiveUp(f"the answer is not the API's: {self.status} {self.body[:200]!r}") from None

    def problem(self):
        """The name of the problem after `urn:problem:`, or None for a success or another kind of answer."""
        try:
            kind = json.loads(self.body)["type"]
        except (ValueError, KeyError, TypeError):
            return None
        return kind.removeprefix("urn:problem:") if isinstance(kind, str) else None


class Number(str):
    """A number as it was written. A float would change its spelling."""


def parse(text):
    """Reads JSON. Numbers keep their spelling. Raises `ValueError` for what the API refuses as JSON, too."""

    def members(pairs):
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a member is given twice")
        return found

    def constant(name):
        raise ValueError(f"{name} is not JSON")

    try:
        value = json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=constant, object_pairs_hook=members
        )
        # Half of a surrogate pair, which JSON can escape, cannot be sent.
        write(value).encode()
        return value
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write(value):
    """Writes what `parse` has read as JSON, without white space."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{write(name)}:{write(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


class Api:
    """The service at a URL. Threads can share it; each keeps a connection of its own."""

    def __init__(self, url):
        try:
            parts = urllib.parse.urlsplit(url)
            self._address = (parts.hostname, parts.port)
        except ValueError as error:
            raise GiveUp(f"{url!r} is not a URL: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise GiveUp(f"{url!r} is not the URL of a service, such as https://users.example")
        if parts.username or parts.password:
            raise GiveUp("the URL has a password in it, which other users of this machine can see; use USERS_TOKEN")
        self._connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._base = parts.path.rstrip("/")
        self._headers = {"accept": "application/json"}
        # The service has a list of two tokens while a token is changed; either will do.
        token = os.environ.get("USERS_TOKEN", "").split(",")[0]
        if token:
            if not token.isascii() or not token.isprintable() or " " in token:
                raise GiveUp("USERS_TOKEN is not a token: it has blanks, control characters or letters beyond ASCII")
            self._headers["authorization"] = f"Bearer {token}"
        self._thread = threading.local()

    def request(self, method, path, body=None, headers=None):
        """Sends a request until it has an answer that is not temporary.

        Raises `GiveUp` if there is none within `PATIENCE`, if the token is refused, or if nothing serves the path.
        """
        end = time.monotonic() + PATIENCE
        pause = 0.1
        while True:
            try:
                answer, wait = self._try(method, path, body, {**self._headers, **(headers or {})})
                fault = f"{answer.status} {answer.problem() or ''}".rstrip()
            except (OSError, http.client.HTTPException) as error:
                self._close()
                answer, wait = None, 0
                fault = str(error) or type(error).__name__
            if answer is not None and answer.status not in TEMPORARY:
                break
            pause = min(2 * pause, 10)
            # Random, so that requests that failed together are not repeated together.
            wait += pause * random.uniform(0.5, 1.0)
            if time.monotonic() + wait > end:
                raise GiveUp(f"{method} {path} failed for {PATIENCE} s, last with: {fault}")
            if STOPPING.wait(wait):
                raise GiveUp("another request has failed")
        if answer.status in (401, 403):
            raise GiveUp(f"{method} {path}: {fault}; set USERS_TOKEN to a token that allows this")
        if answer.problem() in ("no-such-route", "method-not-allowed"):
            raise GiveUp(f"{method} {path}: {fault}; check that the function is deployed and the URL is right")
        return answer

    def _try(self, method, path, body, headers):
        connection = getattr(self._thread, "connection", None)
        if connection is None:
            connection = self._connect(*self._address, timeout=TIMEOUT)
            self._thread.connection = connection
        connection.request(method, self._base + path, body=body, headers=headers)
        response = connection.getresponse()
        answer = Answer(response.status, response.read(), response.getheader("etag"))
        wait = response.getheader("retry-after", "")
        return answer, min(int(wait), 30) if wait.isdecimal() else 0

    def _close(self):
        connection = getattr(self._thread, "connection", None)
        if connection is not None:
            connection.close()
            self._thread.connection = None


def in_parallel(function, items):
    """Yields `function(item)` for each item in its order, with a bounded number under way or waiting to be taken."""
    pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
    pending = collections.deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= 2 * WORKERS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BaseException:
        STOPPING.set()
        raise
    finally:
        # Those under way end with their answer; the others are not begun.
        pool.shutdown(wait=True, cancel_futures=True)


class Progress:
    """A line on a terminal that counts users; nothing where standard error is something else."""

    def __init__(self):
        self.count = 0
        self._start = self._shown = time.monotonic()

    def step(self):
        """Counts one more."""
        self.count += 1
        if not sys.stderr.isatty():
            return
        now = time.monotonic()
        if now - self._shown >= 0.2:
            self._shown = now
            rate = self.count / (now - self._start)
            print(f"\r{self.count:,} users, {rate:,.0f}/s ", end="", file=sys.stderr, flush=True)

    def clear(self):
        """Clears the line, so that something else can be printed."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


class Report:
    """A file of JSON lines, which only its owner can read, since it holds personal data. The first line creates it."""

    def __init__(self, path, go_on=False):
        self.path = path
        self.lines = 0
        self._file = None
        # A report of an earlier run could be mistaken for this run's, unless this run continues it.
        if not go_on and os.path.isfile(path):
            os.remove(path)

    def add(self, line):
        """Writes one line at once, so that it is there whatever happens next."""
        if self._file is None:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = open(descriptor, "w", encoding="utf-8")
        self._file.write(write(line) + "\n")
        self._file.flush()
        self.lines += 1


def run(main):
    """Runs a program's `main`, which returns its exit code, and says what stopped it."""
    name = os.path.basename(sys.argv[0])
    try:
        code = main()
        sys.stdout.flush()
    except (GiveUp, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # Nobody reads the output any more. Python must not try to flush it again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"{name}: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)
