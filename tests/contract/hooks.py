"""What Schemathesis cannot read from docs/openapi.yaml. No check is switched off."""

import hashlib
import json
import re

import schemathesis
from hypothesis import strategies as st
from schemathesis.generation.meta import TestPhase
from schemathesis.openapi.checks import RejectedPositiveData


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Shows Schemathesis how to make entity tags.

    Its coverage phase makes headers of letters and digits alone, so that it would send 0 as a valid list of tags.
    """
    entity_tags = raw_schema["components"]["schemas"]["EntityTags"]
    entity_tags["format"] = "entity-tags"
    any_list = st.from_regex(re.compile(entity_tags["pattern"], re.ASCII), fullmatch=True)
    schemathesis.openapi.format("entity-tags", st.just("*") | any_list)
    raw_schema["components"]["schemas"]["Email"]["format"] = "mailbox"
    schemathesis.openapi.format("mailbox", _mailboxes(raw_schema["components"]["schemas"]["Email"]["pattern"]))
    problems.update(_described_problems(raw_schema))


def _mailboxes(pattern):
    """Addresses of characters that are certainly letters, and within the limits, which count bytes.

    A pattern can neither count bytes nor tell letters from signs.
    """
    letters = pattern.replace("\u00a1-\U0010ffff", "à-öø-ÿα-ωа-я")
    return st.from_regex(re.compile(letters), fullmatch=True).filter(_is_within_limits)


def _is_within_limits(address):
    local, _, domain = address.rpartition("@")
    labels = [label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in domain.split(".")]
    return (
        len(local.encode()) <= 64
        and len(address.encode()) <= 254
        and all(len(label) <= 63 for label in labels)
        and len(".".join(labels)) <= 253
        and all(label.isascii() or label[2:4] != "--" for label in domain.split("."))
    )


problems = {}


def _described_problems(raw_schema):
    """The types of problem that each response of each operation has an example of."""
    described = {}
    for path, item in raw_schema["paths"].items():
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                if "$ref" in response:
                    response = raw_schema["components"]["responses"][response["$ref"].rpartition("/")[2]]
                examples = response.get("content", {}).get("application/problem+json", {}).get("examples", {})
                types = {example["value"]["type"] for example in examples.values()}
                described[f"{method.upper()} {path}", int(status)] = types
    return described


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes a request what a client would send."""
    _headers_in_utf_8(case)
    if _is_random(case) and case.meta.generation.mode.is_positive:
        _new_user(case)
        _user_that_exists(case)
        _own_idempotency_key(case)


@schemathesis.hook
def after_call(context, case, response):
    """Notes who exists."""
    if case.operation.label == "POST /user" and response.status_code == 201:
        _users.append(response.json()["username"])


_users = []


def _headers_in_utf_8(case):
    """Schemathesis takes Latin-1, but Spin answers 500 to a header that is not UTF-8, before any function sees it."""
    for name, value in case.headers.items():
        if isinstance(value, str) and not value.isascii():
            case.headers[name] = value.encode().decode("latin-1")


def _new_user(case):
    """Makes most usernames new; otherwise nearly all creations would be of a few short names that are taken."""
    digest = _digest(case.body)
    if case.operation.label == "POST /user" and not digest.startswith("0"):
        case.body["username"] = f"{case.body['username'][:48]}{digest}"


def _user_that_exists(case):
    """Makes most requests ask for one of the users that were created; otherwise nearly all would be answered 404."""
    digest = _digest([case.path_parameters, case.headers, case.body])
    if "username" in case.path_parameters and _users and not digest.startswith(("0", "1", "2", "3")):
        case.path_parameters["username"] = _users[int(digest, 16) % len(_users)]


def _own_idempotency_key(case):
    """Gives each request a key of its own, as the contract demands; a request that is repeated keeps its key."""
    key = case.headers.get("Idempotency-Key")
    if key is not None:
        digest = _digest([case.operation.label, case.path_parameters, case.body])
        case.headers["Idempotency-Key"] = f'"{digest}"' if key.startswith('"') else f"{key[:239]}{digest}"


def _is_random(case):
    return case.meta is not None and case.meta.phase.name in (TestPhase.FUZZING, TestPhase.STATEFUL)


def _digest(value):
    return hashlib.sha256(json.dumps(value, default=repr).encode()).hexdigest()[:16]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops the complaint that a valid request was refused where the state of the record was the reason.

    That is no fault: what state a record is in, no schema can say. Every other refusal of a valid request counts.
    """
    return not (isinstance(failure, RejectedPositiveData) and _state_is_the_reason(case, response))


def _state_is_the_reason(case, response):
    def sent(*names):
        return any(name in case.headers for name in names)

    if response.status_code == 412:
        return sent("If-Match", "If-None-Match", "If-Unmodified-Since")
    if response.status_code == 410:
        # The creation was repeated after its user had been erased.
        return sent("Idempotency-Key")
    if response.status_code == 400:
        # A cursor that no answer has given. An answer to HEAD does not say so.
        return "after" in (case.query or {}) and (not response.content or "parameter after " in response.text)
    if response.status_code != 422:
        return False
    problem = response.json()
    if problem["type"] == "urn:problem:idempotency-key-reused":
        return sent("Idempotency-Key")
    return problem["type"] == "urn:problem:invalid-points" and [error["detail"] for error in problem["errors"]] in (
        ["would give the user more than 9007199254740991 points"],
        ["must be the sequence number of an award or a redemption in this user's history"],
    )


@schemathesis.check
def instance_is_the_path(ctx, response, case):
    """A problem names the path that was asked for, which is a URI reference already when Schemathesis sends it."""
    if response.headers.get("content-type") == ["application/problem+json"] and response.content:
        path = response.request.path_url.partition("?")[0]
        instance = response.json().get("instance", path)
        assert instance == path, f"instance is {instance}, the path was {path}"


@schemathesis.check
def problem_is_described(ctx, response, case):
    """A problem is of a type that the response has an example of, and has the type's own status."""
    if response.headers.get("content-type") == ["application/problem+json"] and response.content:
        problem = response.json()
        assert problem["status"] == response.status_code
        described = problems.get((case.operation.label, response.status_code))
        # Schemathesis also sends methods that a path does not serve.
        if described is not None and response.request.method == case.operation.method.upper():
            assert problem["type"] in described, f"{problem['type']} is not described"
