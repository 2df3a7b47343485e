"""The form that sends an e-mail again: which addresses it offers and why, what it opens with, what a person chose.

The opened e-mail shows the short form, resending's own page the whole of it: one class reads both. What is offered
beyond the slip of a finger takes a look at the database, so an opened row fetches it by a request of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from flask import request
from flask_login import current_user

from blueprints.forms import within_a_year
from blueprints.remedies import WRONG_ADDRESS, seen
from blueprints.support import wants_partial
from errors import UserMistake
from extensions import db
from history.chips import is_final
from history.detail import Detail
from i18n import N_, _
from mail import advice, quarantine, reach
from mail.reach import Checked
from mail.remedies import Step, first_step
from mail.resend import Ask, Mode, corrected
from models import Email
from models.words import Permission, Reason, Status
from people import known_addresses
from people.contacts import COMMON_DOMAINS
from planning.quiet import at

ME = "me"  # the value of "to": whoever presses
SAME = "same"
OTHER = "other"
_FAILURES = (Status.FAILED, Status.UNDELIVERABLE)
_MORNING = time(8)
# What a remedy's button asks the form to open with (mail.remedies.Step).
_REPAIR_MODES = {"link": Mode.LINK, "anew": Mode.ANEW}
# First steps that ask nothing more: the remedy's button opens the form, which would only say the same again below it.
_ASK_NOTHING = frozenset({Step.RESEND, Step.TOMORROW, Step.LINK, Step.ANEW})


@dataclass
class Choice:
    """One address to send to. `why` says where it comes from; `checked` what the DNS says of it, once asked."""

    value: str
    address: str
    why: str
    chosen: bool = False
    checked: Checked | None = None
    quarantined: bool = False


@dataclass
class ResendForm:
    """What the form shows, and what was typed into it. `errors` by field; "" for the whole."""

    email_id: str
    given: str  # the address it went to
    wrong: bool  # the address itself is in question
    choices: list[Choice] = field(default_factory=list)
    title: str = ""
    to: str = ""
    other: str = ""
    mode: Mode = Mode.COPY
    said: str = ""
    when: str = ""
    day: str = ""
    hour: str = ""
    fix: bool = False
    sure: bool = False
    contact_name: str = ""  # whose record may be corrected too
    request_key: str = ""
    urgent: bool = False
    tomorrow_first: bool = False
    open: bool = False
    errors: dict[str, str] = field(default_factory=dict)
    doubtful: bool = False  # the DNS says no: whoever is sure may tick so

    # asking again would send again: the same press is known by what it says
    def key(self, email: Email) -> str:
        """What makes two presses one: the form's own key and all that it says."""
        said = [self.request_key, email.id, self.to, self.other, self.mode.value, self.said, self.when, self.day,
                self.hour]  # fmt: skip
        return "resend:" + hashlib.sha256(json.dumps(said).encode()).hexdigest()[:48]

    @property
    def address(self) -> str:
        """Where it goes: what was typed before what was picked. Raises UserMistake (field `to`)."""
        if self.other:
            return corrected(self.other)
        if self.to in (SAME, ""):
            return self.given
        if self.to == OTHER:
            raise UserMistake(N_("Indiquez l'adresse."), "to")
        return corrected(current_user.email if self.to == ME else self.to)

    def ask(self, zone: str) -> Ask:
        """What mail.resend takes. Raises UserMistake."""
        return Ask(self.address, self.mode, self.said, self.send_at(zone), own_copy=self.to == ME and not self.other)

    def send_at(self, zone: str) -> datetime | None:
        """When to send, None for at once. Raises UserMistake (field `when`)."""
        return moment(self.when, self.day, self.hour, zone)

    def blame(self, mistake: UserMistake) -> None:
        """Show a mistake at its field, or at the head of the form."""
        known = {"to", "when", "mode", "preface"}
        self.errors[mistake.field if mistake.field in known else ""] = _(mistake.message, **mistake.values)
        self.open = True


def moment(when: str, day: str, hour: str, zone: str) -> datetime | None:
    """When to send as a form says it (`when`: "" at once, "tomorrow", or "at" with an ISO day and hour), None for at
    once. Raises UserMistake (field `when`)."""
    if when == "tomorrow":
        return tomorrow(zone)
    if when != "at":
        return None
    try:
        chosen, clock = datetime.fromisoformat(day).date(), time.fromisoformat(hour).replace(tzinfo=None)
    except ValueError as error:
        raise UserMistake(N_("Indiquez le jour et l'heure."), "when") from error
    return within_a_year(chosen, clock, zone, "when")


def tomorrow(zone: str) -> datetime:
    """Eight o'clock tomorrow, as the clock on the organisation's wall says it."""
    local = datetime.now(ZoneInfo(zone))
    return at(local.date() + timedelta(days=1), _MORNING, ZoneInfo(zone))


def context(detail: Detail, form: ResendForm | None = None) -> dict[str, Any]:
    """What history/_resend.html needs of an opened e-mail. `form` as it came back with a mistake."""
    row = detail.row
    may, failed = current_user.may(Permission.RESEND), row.status in _FAILURES
    final = is_final(row, row.now)
    if form is None and may and final:
        form = opening(detail)
    return {
        "resend": form if may and final else None,
        "resend_refused": "" if may or not failed else _("Seul un administrateur peut renvoyer cet e-mail."),
    }


def opening(detail: Detail) -> ResendForm:
    """The form as an opened e-mail shows it; what the slip of a finger alone suggests is known at once."""
    row = detail.row
    failed = row.status in _FAILURES
    wrong = failed and row.reason in WRONG_ADDRESS
    repair = request.args.get("repair", "")
    form = ResendForm(
        row.public_id, row.address, wrong, request_key=str(uuid4()), urgent=failed,
        title=_("Corriger et renvoyer") if wrong else _("Renvoyer cet e-mail"),
        mode=Mode.ANEW if detail.erased_at else _mode(row.reason, bool(row.attachment_count), repair),
        tomorrow_first=repair == "tomorrow" or (failed and row.reason is Reason.MAILBOX_FULL),
        open=bool(repair) or (failed and _stands_open(detail)),
        fix=wrong, contact_name=row.contact_name or "" if row.contact_id else "",
    )  # fmt: skip
    email = db.session.get(Email, row.id) if (wrong or repair) and not wants_partial() else None
    offer(form, person_of(email) if email else advice.Person())
    return form


def _stands_open(detail: Detail) -> bool:
    """Whether the form of a failure opens with the page. Within a row it stays folded behind the remedy's button: the
    letter and its facts come first there."""
    if wants_partial() or any(not other.own_copy for other in detail.resends):
        return False
    reason = detail.row.reason
    return not (reason and reason.silent) and first_step(seen(detail)) not in _ASK_NOTHING


def _mode(reason: Reason | None, with_files: bool, repair: str) -> Mode:
    if repair in _REPAIR_MODES:
        return _REPAIR_MODES[repair]
    return Mode.LINK if reason is Reason.TOO_BIG and with_files else Mode.COPY


def read(email: Email, given: str, wrong: bool, values: Mapping[str, str]) -> ResendForm:
    """The form as a person sent it (a form's fields, or an address's parameters)."""

    def word(name: str, most: int = 320) -> str:
        return values.get(name, "").replace("\x00", "")[:most].strip()

    mode = word("mode", 10)
    return ResendForm(
        email.public_id, given, wrong, to=word("to"), other=word("other"),
        mode=Mode(mode) if mode in Mode._value2member_map_ else Mode.COPY, said=values.get("preface", "")[:10_000],
        when=word("when", 20), day=word("day", 20), hour=word("hour", 20), fix=word("fix", 2) == "1",
        sure=word("sure", 2) == "1", request_key=re.sub(r"[^0-9a-zA-Z-]", "", word("request_key", 64)),
        title=_("Corriger et renvoyer") if wrong else _("Renvoyer cet e-mail"), urgent=True, open=True,
    )  # fmt: skip


def person_of(email: Email) -> advice.Person:
    """What is known of whom it was for."""
    known = known_addresses.of(email, COMMON_DOMAINS)
    return advice.Person(
        known.first_name, known.last_name, known.record,
        [advice.Known(address, arrived) for address, arrived in known.others],
        [advice.Colleague(*colleague) for colleague in known.colleagues], known.dead,
    )  # fmt: skip


def offer(form: ResendForm, person: advice.Person, *, ask_dns: bool = False) -> None:
    """Fill in the addresses to choose from; what was chosen stays so, else the likeliest is. `ask_dns` looks at each
    domain and into the quarantine, within seconds."""
    found = advice.suggestions(form.given, person, COMMON_DOMAINS) if form.wrong or person.others else []
    choices = [Choice(one.address, one.address, _(one.why.label, **one.values)) for one in found]
    choices.append(Choice(SAME, form.given, _("La même adresse.")))
    own = _("À moi-même : une copie pour vérifier, qui ne compte pas comme un renvoi.")
    choices.append(Choice(ME, current_user.email, own))
    if not form.wrong:  # nothing says that the address is wrong: it stays the first choice
        choices.insert(0, choices.pop(-2))
    if ask_dns:
        _look(choices)
    form.choices = choices
    picked = next((choice for choice in choices if choice.value == form.to), None)
    if picked is None and form.to not in ("", OTHER):
        picked = next((c for c in choices if advice.canonical(c.address) == advice.canonical(form.to)), None)
        if picked is None and not form.other:
            form.other = form.to
    if picked is None and not form.to and not form.other:
        picked = choices[0] if choices[0].value != SAME or not form.wrong else None
    form.to = picked.value if picked else OTHER
    if picked:
        picked.chosen = True


def _look(choices: Sequence[Choice]) -> None:
    theirs = [choice for choice in choices if choice.value != ME]
    checked = reach.check_all(choice.address for choice in theirs)
    held = quarantine.quarantined(current_user.organisation_id, [choice.address for choice in theirs])
    for choice in theirs:
        choice.checked, choice.quarantined = checked[choice.address], choice.address in held
