"""Whatever keys a report or an event bears, in any mixture and however damaged: the e-mail the rule names, or none.

The rule is said a second time here, on names instead of tokens: VERP, else ENVID, else Message-ID *and* our recipient;
only what was really attempted, of the last 14 days; a provider's account speaks of its own organisation alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extensions import db
from mail import matching, tokens
from mail.fold import Fact
from mail.providers import matching as told
from mail.providers.event import EventType, ProviderEvent
from mail.reports import Report
from mail.reports.report import ReportedRecipient
from mail.tracking import record
from models import Email
from models.words import EventKind
from tests.conftest import House
from tests.mail.test_sending import ask

PEOPLE = {"recent": "Zoe@Client.example", "waiting": "leo@client.example", "old": "lea@client.example",
          "foreign": "max@client.example"}  # fmt: skip
_NAMES = st.sampled_from(tuple(PEOPLE))
_DAMAGES = st.sampled_from(("none", "none", "none", "upper", "letter", "short", "long"))


@dataclass(frozen=True)
class Key:
    """A token as a stranger may bring it: of which kind, of which e-mail, what became of it on its way."""

    kind: str
    email: str
    damage: str

    @property
    def whole(self) -> bool:
        return self.damage in ("none", "upper")

    def written(self, ids: dict[str, int], around: str) -> str:
        token = tokens.token(self.kind, ids[self.email])
        damaged = {
            "upper": token.upper(), "letter": ("a" if token[9] != "a" else "b").join((token[:9], token[10:])),
            "short": token[:-1], "long": token + "a",
        }.get(self.damage, token)  # fmt: skip
        return around.format(damaged)


_KEY = st.builds(Key, st.sampled_from(("verp", "envid", "mid", "pixel")), _NAMES, _DAMAGES)
_ADDRESSES = st.lists(
    st.sampled_from([*PEOPLE.values(), "zoe@client.example", "other@client.example"]), max_size=3
)  # fmt: skip


@pytest.fixture
def ids(cassiopee: House, boreale: House) -> dict[str, int]:
    """One e-mail of each fate."""
    made: dict[str, Email] = {}
    for name, address in PEOPLE.items():
        (made[name],) = ask(boreale if name == "foreign" else cassiopee, address)
    now = datetime.now(UTC)
    left = {"recent": now, "foreign": now, "old": now - timedelta(days=20)}
    record([Fact(made[name].id, EventKind.ACCEPTED, "smtp", "1", at) for name, at in left.items()])
    db.session.commit()
    return {name: email.id for name, email in made.items()}


_SLOWLY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_SLOWLY
@given(
    verp=st.lists(_KEY, max_size=3), envid=st.none() | _KEY, mid=st.none() | _KEY, named=_ADDRESSES,
    original=st.booleans(),
)  # fmt: skip
def test_a_report_is_about_whom_the_rule_names(
    ids: dict[str, int], verp: list[Key], envid: Key | None, mid: Key | None, named: list[str], original: bool
) -> None:
    recipients = tuple(ReportedRecipient("gone@far.example" if original else one, one) for one in named)
    report = Report(
        "bounce", recipients, envelope_to=[key.written(ids, "retours+{}@cassiopee.example") for key in verp],
        envid=envid and envid.written(ids, "{}"), message_id=mid and mid.written(ids, "<{}@cassiopee.example>"),
    )  # fmt: skip
    expected = None
    for wanted, name, keys in (("verp", "verp", verp), ("envid", "envid", [envid]), ("mid", "message-id", [mid])):
        for key in keys:
            if not key or key.kind != wanted or not key.whole or key.email not in ("recent", "foreign"):
                continue  # a stranger's, of another kind, never attempted, or too old
            if wanted == "mid" and PEOPLE[key.email].lower() not in {one.lower() for one in named}:
                continue
            expected = expected or (ids[key.email], name)
    found = matching.match(report)
    db.session.rollback()
    assert (found and (found.email_id, found.key)) == expected


@_SLOWLY
@given(
    marks=st.lists(_KEY, max_size=3), header=st.none() | _KEY, own=st.none() | _KEY,
    recipient=st.none() | st.sampled_from([*PEOPLE.values(), "ZOE@client.EXAMPLE", "other@client.example"]),
)  # fmt: skip
def test_a_providers_event_is_about_whom_the_rule_names(
    cassiopee: House, ids: dict[str, int], marks: list[Key], header: Key | None, own: Key | None, recipient: str | None
) -> None:
    event = ProviderEvent(
        EventType.DELIVERED, recipient, marks=tuple(key.written(ids, '{{"sillage":"{}"}}') for key in marks),
        header_id=header and header.written(ids, "<{}@cassiopee.example>"),
        message_id=own and own.written(ids, "{}@cassiopee.example"),
    )  # fmt: skip
    expected = None
    for name, keys in (("token", marks), ("message-id", [header, own])):
        for key in keys:
            if expected or not key or key.kind != "mid" or not key.whole or key.email == "foreign":
                continue
            ours = recipient is None or recipient.lower() == PEOPLE[key.email].lower()
            if name == "token" or (ours and recipient is not None):
                expected = (ids[key.email], name, ours, key.email != "waiting")
    (found,) = told.match(cassiopee.id, [event])
    db.session.rollback()
    assert (found and (found.email_id, found.key, found.ours, found.left)) == expected
