"""What one cell of the completeness matrix says: pure, from what is known of one person's e-mail of one type.

The newest e-mail that really was asked for counts, its resends being newer e-mails; a cancelled or late one is as if
it had never been. Without any e-mail, what is planned counts, then whether the day it is needed has come.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from models import Anchor, PlanState, Rule
from models.words import N_, EmailType, Reason, Status, Word
from planning import quiet


class CellState(Word):
    """What a person has of a required e-mail. `icon` and `tone` are for the badge, `meaning` for the legend."""

    def __init__(self, _value: str, _label: str, icon: str, tone: str, meaning: str) -> None:
        self.icon, self.tone, self.meaning = icon, tone, meaning

    RECEIVED = (
        "received", N_("Reçu"), "check", "success",
        N_("Accepté par l'opérateur du destinataire, ouvert, ou le questionnaire est rempli."),
    )
    ON_ITS_WAY = (
        "on_its_way", N_("En route"), "send", "info",
        N_("Demandé, envoyé sans nouvelle encore, ou programmé."),
    )
    FAILED = (
        "failed", N_("En échec"), "alert-triangle", "danger",
        N_("Le dernier envoi n'est pas arrivé : il faut agir."),
    )
    NEVER = (
        "never", N_("Jamais envoyé"), "mail-off", "warning",
        N_("Il devrait être parti, et rien n'a été demandé ni programmé."),
    )
    NOT_NEEDED = (
        "not_needed", N_("Pas encore"), "clock", "neutral",
        N_("Son jour n'est pas venu."),
    )

    @property
    def missing(self) -> bool:
        """Whether the person should have it and does not."""
        return self in (CellState.FAILED, CellState.NEVER)


# What may be required of a learner's session, in the order of a session's life: the rule that says from which day
# it is needed. Those without a rule of their own go with the one they usually travel with.
REQUIRABLE: dict[EmailType, Rule] = {
    EmailType.PROGRAMME: Rule.CONVOCATION,
    EmailType.EVALUATION_PRE: Rule.EVALUATION_PRE,
    EmailType.CONVOCATION: Rule.CONVOCATION,
    EmailType.RULES: Rule.CONVOCATION,
    EmailType.WELCOME_BOOKLET: Rule.CONVOCATION,
    EmailType.CONVOCATION_REMINDER: Rule.CONVOCATION_REMINDER,
    EmailType.EVALUATION_HOT: Rule.EVALUATION_HOT,
    EmailType.CERTIFICATE: Rule.CERTIFICATE,
    EmailType.ATTENDANCE_CERTIFICATE: Rule.CERTIFICATE,
    EmailType.EVALUATION_COLD: Rule.EVALUATION_COLD,
}
# E-mails of types that say the same as a required one: from before evaluations had moments.
SAME_AS = {EmailType.EVALUATION.value: EmailType.EVALUATION_HOT}
# What decides that an e-mail never left; it then tells nothing about what the person has.
SILENT = tuple(reason for reason in Reason if reason.silent)

_RECEIVED = (Status.DELIVERED, Status.OPENED)
_FAILED = (Status.UNDELIVERABLE, Status.FAILED)


def before_start(type: EmailType) -> bool:
    """Whether an e-mail of this type is of use only before the session."""
    return REQUIRABLE[type].anchor is Anchor.FIRST_MODULE


def ordered(values: list[str] | tuple[str, ...]) -> list[EmailType]:
    """The types that those values name and that can be required, in the order of a session's life."""
    return [type for type in REQUIRABLE if type.value in values]


@dataclass(frozen=True)
class Sent:
    """The newest e-mail of a type to a person, as far as a cell needs it. `at`: when it left, or was asked for."""

    public_id: str
    status: Status
    reason: Reason | None
    at: datetime


@dataclass(frozen=True)
class Planned:
    """What a dated rule has planned for that person and type."""

    public_id: str
    state: PlanState
    due_at: datetime


@dataclass(frozen=True)
class Cell:
    """One person's e-mail of one type. `needed_at` is from when it is needed (None: no day is known)."""

    type: EmailType
    state: CellState
    sent: Sent | None = None
    planned: Planned | None = None
    needed_at: datetime | None = None
    answered: bool = False

    @property
    def moving(self) -> bool:
        """Whether it may change by itself soon."""
        return self.state is CellState.ON_ITS_WAY


def needed_at(
    rule: Rule, days: int, at: time, first: datetime | None, last: datetime | None, zone: str
) -> datetime | None:
    """From when a rule's e-mail is needed by someone whose first module starts at `first` and last ends at `last`:
    `days` local days before the first, or after the last, at the local hour `at`. None without dates."""
    origin = first if rule.anchor is Anchor.FIRST_MODULE else last
    if origin is None:
        return None
    local = ZoneInfo(zone)
    day = origin.astimezone(local).date() + timedelta(days=-days if rule.anchor is Anchor.FIRST_MODULE else days)
    return quiet.at(day, at, local)


def cell(
    type: EmailType, now: datetime, *, sent: Sent | None = None, planned: Planned | None = None,
    needed: datetime | None = None, answered: bool = False, running: bool = True,
) -> Cell:  # fmt: skip
    """The cell of what is known. `running` is False for a session that is a draft or cancelled: nothing is missing
    there, though what was sent still shows."""
    return Cell(type, _state(now, sent, planned, needed, answered, running), sent, planned, needed, answered)


def _state(
    now: datetime, sent: Sent | None, planned: Planned | None, needed: datetime | None, answered: bool, running: bool
) -> CellState:
    if answered:
        return CellState.RECEIVED
    if sent is not None:
        if sent.status in _RECEIVED:
            return CellState.RECEIVED
        return CellState.FAILED if sent.status in _FAILED else CellState.ON_ITS_WAY
    if planned is not None and planned.state is PlanState.PLANNED:
        return CellState.ON_ITS_WAY
    if planned is not None and planned.state is PlanState.NOT_PREPARED:
        return CellState.FAILED
    if not running or needed is None or now < needed or (planned and planned.state is PlanState.NOT_NEEDED):
        return CellState.NOT_NEEDED
    return CellState.NEVER
