"""The account of a resend in number: how many of its e-mails are where and why, and each of them by name.

Every e-mail of a run stands in exactly one group, so the groups add up to what was chosen. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text, case, cast, func, select
from sqlalchemy.orm import aliased

from extensions import db
from models import Address, Email
from models.resend_run import Left, ResendRow, ResendRun, RowOutcome, RunState
from models.words import N_, Reason, Status

GO, SENT, REFUSED, BY_HAND = "go", "sent", "refused", "by_hand"
PAGE = 100
_OTHERS = {
    SENT: (N_("Renvoyés"), N_("Un nouvel e-mail est parti, ou part à son tour ; il dit d'où il vient.")),
    REFUSED: (N_("Non renvoyés"), N_("Le message n'a pas pu être copié : rien n'est parti.")),
    BY_HAND: (N_("Laissés de côté par vous"), N_("Vous les avez retirés de ce renvoi.")),
}
_GOING = {
    RunState.DRAFT: (N_("Partiront"), N_("Une copie exacte, avec les mêmes pièces jointes, à la même adresse.")),
    RunState.CANCELLED: (N_("Pas partis"), N_("Le renvoi a été arrêté avant leur tour.")),
}
_NEXT = (N_("Attendent leur tour"), N_("Ils partent par centaines, dans cet ordre."))
_ORDER = [GO, SENT, REFUSED, *(reason.value for reason in Left), BY_HAND]
_GROUP: Any = case(
    (ResendRow.outcome == RowOutcome.SENT, SENT),
    (ResendRow.outcome == RowOutcome.REFUSED, REFUSED),
    (ResendRow.chosen, GO),
    (ResendRow.verdict.is_(None), BY_HAND),
    else_=cast(ResendRow.verdict, Text),
)


@dataclass(frozen=True)
class Group:
    """E-mails of a run with one fate; label and sentence are French message ids. `left`: they do not go."""

    key: str
    count: int
    label: str
    sentence: str
    left: bool
    overridable: bool


@dataclass(frozen=True)
class Line:
    """One e-mail of a run; without `address` it is forgotten since, without `new` none was made."""

    position: int
    number: str
    group: str
    verdict: Left | None
    why: str
    type: str
    subject: str
    name: str
    address: str
    status: Status | None
    reason: Reason | None
    new: str | None
    new_status: Status | None


def groups(run: ResendRun) -> list[Group]:
    """What the run's e-mails come to, in one statement; groups of none are left out."""
    counts = dict(map(tuple, db.session.execute(
        select(_GROUP.label("key"), func.count()).where(ResendRow.run_id == run.id).group_by("key")
    )))  # fmt: skip
    return [_group(run, key, counts[key]) for key in _ORDER if key in counts]


def lines(run: ResendRun, group: str, after: int = 0, most: int = PAGE) -> list[Line]:
    """The next e-mails of a group after a position, in one statement."""
    query = _lines(run).where(_GROUP.is_not_distinct_from(group), ResendRow.position > after).limit(most)
    return [_line(row) for row in db.session.execute(query)]


def everything(run: ResendRun) -> Iterator[Line]:
    """Every e-mail of the run, in its order."""
    after = 0
    while True:
        rows = db.session.execute(_lines(run).where(ResendRow.position > after).limit(1000)).all()
        if not rows:
            return
        yield from (_line(row) for row in rows)
        after = rows[-1].position


def _group(run: ResendRun, key: str, count: int) -> Group:
    if key == GO:
        label, sentence = _GOING.get(run.state, _NEXT)
        return Group(key, count, label, sentence, False, False)
    if key in _OTHERS:
        return Group(key, count, *_OTHERS[key], key == BY_HAND, key == BY_HAND)
    reason = Left(key)
    return Group(key, count, reason.label, reason.sentence, True, reason.overridable)


def _lines(run: ResendRun) -> Any:
    again = aliased(Email)
    return (
        select(
            ResendRow.position, ResendRow.number, _GROUP.label("group"), ResendRow.verdict, ResendRow.why, Email.type,
            Email.subject, Address.name, Address.address, Email.status, Email.reason, again.public_id.label("new"),
            again.status.label("new_status"),
        )
        .outerjoin(Email, Email.id == ResendRow.email_id)
        .outerjoin(Address, Address.id == Email.address_id)
        .outerjoin(again, again.id == ResendRow.new_email_id)
        .where(ResendRow.run_id == run.id)
        .order_by(ResendRow.position)
    )  # fmt: skip


def _line(row: Any) -> Line:
    shown = row._asdict()
    for name in ("type", "subject", "name", "address"):
        shown[name] = shown[name] or ""
    return Line(**shown)
