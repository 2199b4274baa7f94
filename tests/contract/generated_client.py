"""A program on a client that openapi-python-client made of docs/openapi.yaml: create, retry, read, change, refusals.

Its argument is the address of the application; the folder of the client is in PYTHONPATH.
"""

import sys

from users_and_loyalty_tiers_client import Client
from users_and_loyalty_tiers_client.api.users import (
    change_points,
    create_user,
    erase_user,
    get_history,
    get_user,
    list_users,
    promote_user,
    update_user,
)
from users_and_loyalty_tiers_client.models import (
    EntryChange,
    NewUser,
    PointsChange,
    PointsReversal,
    Problem,
    ProblemType,
    Tier,
    User,
    UserPatch,
)


def is_problem(answer, status, kind):
    """Holds an answer to be a problem, and returns it."""
    assert answer.status_code == status, answer
    problem = answer.parsed
    assert isinstance(problem, Problem), problem
    assert problem.type_ == kind and problem.status == status and problem.detail, problem
    return problem


def main(url):
    client = Client(base_url=url, raise_on_unexpected_status=True)

    # A creation, and the same once more.
    jane = NewUser(username="jane", email="jane@example.com", points=71)
    jane["team"] = "blue"
    for is_replay in (False, True):
        created = create_user.sync_detailed(client=client, body=jane, idempotency_key="sign-up-1")
        assert created.status_code == 201, created
        assert isinstance(created.parsed, User) and created.parsed["team"] == "blue", created
        assert created.headers["location"] == "/user/jane", created
        assert ("idempotent-replayed" in created.headers) == is_replay, created

    is_problem(create_user.sync_detailed(client=client, body=jane), 409, ProblemType.URNPROBLEMUSERNAME_TAKEN)
    refused = create_user.sync_detailed(client=client, body=NewUser(username="-", points=-1))
    problem = is_problem(refused, 422, ProblemType.URNPROBLEMINVALID_USER)
    assert [error.pointer for error in problem.errors] == ["/username", "/points"], problem
    assert all(error.detail for error in problem.errors), problem

    # Reading, and reading what has not changed.
    read = get_user.sync_detailed("jane", client=client)
    assert read.parsed == created.parsed, read
    unchanged = get_user.sync_detailed("jane", client=client, if_none_match=read.headers["etag"])
    assert unchanged.status_code == 304, unchanged
    is_problem(get_user.sync_detailed("nobody", client=client), 404, ProblemType.URNPROBLEMUSER_NOT_FOUND)

    # Points: an award, a retry of it, a reversal, and refusals.
    for _ in range(2):
        award = PointsChange(points=30, reason="order 7")
        awarded = change_points.sync_detailed("jane", client=client, body=award, idempotency_key="order-7")
        assert awarded.parsed.points == 101, awarded
    promoted = promote_user.sync_detailed("jane", client=client, if_match=awarded.headers["etag"])
    assert promoted.parsed.status == Tier.GOLD, promoted
    too_late = promote_user.sync_detailed("jane", client=client, if_match=awarded.headers["etag"])
    is_problem(too_late, 412, ProblemType.URNPROBLEMPRECONDITION_FAILED)
    reversal = PointsReversal(reverses=2, reason="goods came back")
    reversed_ = change_points.sync_detailed("jane", client=client, body=reversal)
    assert reversed_.parsed.points == 71, reversed_
    again = change_points.sync_detailed("jane", client=client, body=reversal)
    is_problem(again, 409, ProblemType.URNPROBLEMALREADY_REVERSED)
    too_many = change_points.sync_detailed("jane", client=client, body=PointsChange(points=-1000))
    is_problem(too_many, 409, ProblemType.URNPROBLEMINSUFFICIENT_POINTS)

    # A patch.
    patch = UserPatch(email=None)
    patch["team"] = "red"
    patched = update_user.sync_detailed("jane", client=client, body=patch)
    assert patched.status_code == 200 and patched.parsed["team"] == "red" and not patched.parsed.email, patched

    # The history, page by page, and the list.
    newest = get_history.sync("jane", client=client, limit=2)
    assert [entry.change for entry in newest.entries] == [EntryChange.UPDATED, EntryChange.POINTS], newest
    assert newest.entries[1].reverses == 2 and newest.points == 71 and newest.next_, newest
    rest = get_history.sync("jane", client=client, before=newest.entries[-1].sequence)
    assert [entry.sequence for entry in rest.entries] == [3, 2, 1] and not rest.next_, rest
    assert rest.entries[1].reason == "order 7" and rest.entries[1].balance == 101, rest
    bad = get_history.sync_detailed("jane", client=client, limit=0)
    is_problem(bad, 400, ProblemType.URNPROBLEMMALFORMED_QUERY)
    listed = list_users.sync(client=client, status=Tier.GOLD)
    assert [user.username for user in listed.users] == ["jane"], listed

    # The end.
    assert erase_user.sync_detailed("jane", client=client).status_code == 204
    is_problem(get_user.sync_detailed("jane", client=client), 404, ProblemType.URNPROBLEMUSER_NOT_FOUND)
    late = create_user.sync_detailed(client=client, body=jane, idempotency_key="sign-up-1")
    is_problem(late, 410, ProblemType.URNPROBLEMUSER_ERASED)


if __name__ == "__main__":
    main(sys.argv[1])
