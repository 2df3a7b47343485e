"""The chain of resends, seen from each of its e-mails."""

from __future__ import annotations

from typing import Any

from history import detail
from models.words import Mark, Status
from tests.history.making import make_email


def chain(house: Any, public_id: str) -> list[tuple[str, int, bool]]:
    found = detail.about(house.id, public_id)
    assert found is not None
    return [(one.public_id, one.depth, one.own_copy) for one in found.family]


def test_the_whole_chain_is_seen_from_each_end(cassiopee: Any) -> None:
    alone = make_email(cassiopee, "z@example.org")
    first = make_email(cassiopee, "a@example.org", status=Status.FAILED)
    second = make_email(cassiopee, "b@example.org", status=Status.FAILED, resend_of_id=first.id)
    copy = make_email(cassiopee, "me@example.org", resend_of_id=first.id, marks=Mark.OWN_COPY)
    third = make_email(cassiopee, "c@example.org", status=Status.OPENED, resend_of_id=second.id)
    whole = [(first.public_id, 0, False), (second.public_id, 1, False), (copy.public_id, 1, True),
             (third.public_id, 2, False)]  # fmt: skip
    assert chain(cassiopee, alone.public_id) == []
    for email in (first, second, copy, third):
        assert chain(cassiopee, email.public_id) == whole
    about = detail.about(cassiopee.id, first.public_id)
    assert about is not None and [one.address for one in about.resends] == ["b@example.org", "me@example.org"]
    assert [one.own_copy for one in about.resends] == [False, True]
