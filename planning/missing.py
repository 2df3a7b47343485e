"""Writing to those who miss a required e-mail: who, which words and files, and the one sending of them all.

The organisation's template says the words and what goes with them; documents and personal addresses are made only by
send(). A letter shown before is the same call without them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import select
from sqlalchemy.orm import joinedload

import mail
from documents import evaluations, spaces
from documents.store import Shelf
from errors import UserMistake
from extensions import db, settings
from mail import templates
from mail.compose import Draft, File, Writing, unreachable
from models import (
    Address,
    Contact,
    DocumentKind,
    Email,
    EvaluationMoment,
    Organisation,
    Sender,
    Template,
    TrainingSession,
    User,
)
from models.words import N_, EmailType, Reason
from planning.cells import Cell, before_start
from planning.completeness import Matrix, Person

_MOMENTS = {moment.type: moment for moment in EvaluationMoment}
_NO_SENDER = N_("Aucune adresse d'expédition n'est configurée : demandez à un administrateur.")


@dataclass(frozen=True)
class Miss:
    """One person who misses one e-mail. `why_not` (a French message id) says why they cannot be written to; `moved`:
    their address is another one than what was sent last went to."""

    person: Person
    cell: Cell
    why_not: str | None
    moved: bool = False

    @property
    def key(self) -> str:
        return f"{self.cell.type.value}:{self.person.public_id}"

    @property
    def doubtful(self) -> bool:
        """The last one failed because of the address, or of its quarantine: sending there again is likely to fail."""
        sent = self.cell.sent
        at_fault = bool(sent and sent.reason and (sent.reason.address_dead or sent.reason is Reason.SUPPRESSED))
        return at_fault and not self.moved

    @property
    def ticked(self) -> bool:
        return self.why_not is None and not self.doubtful


@dataclass(frozen=True)
class Batch:
    """Everyone who misses one type, and what they will get."""

    type: EmailType
    template: Template
    misses: tuple[Miss, ...]

    @property
    def files(self) -> list[DocumentKind]:
        """The documents that go with it."""
        return [DocumentKind(name) for name in self.template.files]


@dataclass(frozen=True)
class Outcome:
    """What a sending came to: how many e-mails were asked for, and (name, type, French message id, its values) of
    those that could not be made."""

    count: int
    left: tuple[tuple[str, EmailType, str, Mapping[str, object]], ...]


class Sending:
    """The missing e-mails of one session, of some types or all, to one person or all; read once."""

    def __init__(
        self, training_session: TrainingSession, organisation: Organisation, matrix: Matrix, *,
        types: Collection[str] = (), person: str = "",
    ) -> None:  # fmt: skip
        self.session, self.organisation, self.matrix = training_session, organisation, matrix
        self.types = [type for type in matrix.types if not types or type.value in types]
        self.person = person

    @cached_property
    def contacts(self) -> dict[int, Contact]:
        ids = [row.person.id for row in self.matrix.missing]
        query = select(Contact).where(Contact.id.in_(ids), Contact.organisation_id == self.organisation.id)
        return {contact.id: contact for contact in db.session.scalars(query.options(joinedload(Contact.company)))}

    @cached_property
    def batches(self) -> list[Batch]:
        """By type, those who miss it; types that nobody misses are left out."""
        found = []
        for type in self.types:
            misses = tuple(
                self._miss(row.person, row.cells[type])
                for row in self.matrix.missing
                if row.cells[type].state.missing and self.person in ("", row.person.public_id)
            )
            template = templates.find(self.organisation.id, type.value, "learner") if misses else None
            if template is not None:
                found.append(Batch(type, template, misses))
        return found

    @cached_property
    def _went_to(self) -> dict[str, str]:
        """Of the failed e-mails of those who miss something, by number: the address each went to."""
        sent = [cell.sent for row in self.matrix.missing for cell in row.cells.values() if cell.state.missing]
        numbers = [one.public_id for one in sent if one and one.reason]
        if not numbers:
            return {}
        query = select(Email.public_id, Address.address).join(Address, Address.id == Email.address_id)
        mine = query.where(Email.organisation_id == self.organisation.id, Email.public_id.in_(numbers))
        return dict(map(tuple, db.session.execute(mine)))

    def _miss(self, person: Person, cell: Cell) -> Miss:
        there = self._went_to.get(cell.sent.public_id) if cell.sent else None
        moved = there is not None and there.casefold() != (person.email or "").casefold()
        return Miss(person, cell, self._why_not(person, cell.type), moved)

    def _why_not(self, person: Person, type: EmailType) -> str | None:
        if before_start(type) and person.last is not None and person.last <= self.matrix.now:
            return N_("Sa formation est terminée")
        return unreachable(self.contacts[person.id])

    def find(self, key: str) -> tuple[Batch, Miss] | None:
        """The miss of that key ("convocation:C-7m2k…")."""
        return next(((b, miss) for b in self.batches for miss in b.misses if miss.key == key), None)

    def letter(self, batch: Batch, miss: Miss) -> Draft:
        """The e-mail of one person as it will be, without its files; an address that is only made when it is sent
        shows as one. Raises UserMistake."""
        return self._writing(batch, None).draft(self.contacts[miss.person.id])

    def send(self, keys: Collection[str], by: User, request_key: str, now: datetime | None = None) -> Outcome:
        """Ask for the chosen e-mails, each type a mailing of its own, in the caller's transaction.

        Who no longer misses it is passed over; what cannot be prepared is left out and told. Raises UserMistake where
        nothing can be sent at all.
        """
        shelf = Shelf(self.session, by)
        count, left = 0, []
        for batch in self.batches:
            writing = self._writing(batch, by)
            drafts = []
            for miss in batch.misses:
                if miss.key not in keys or miss.why_not is not None:
                    continue
                contact = self.contacts[miss.person.id]
                try:
                    with db.session.begin_nested():
                        files = tuple(
                            File(one.filename, one.sha256, one.size, one.media_type)
                            for one in shelf.files(batch.template.files, contact)
                        )
                        drafts.append(writing.draft(contact, files))
                except UserMistake as mistake:
                    left.append((contact.name, batch.type, mistake.message, mistake.values))
            if drafts:
                key = f"missing:{request_key}:{batch.type.value}"
                sender = self._sender(batch.template)
                count += len(mail.post(drafts, organisation=self.organisation, sender=sender, by=by, request_key=key))
        return Outcome(count, tuple(left))

    def _writing(self, batch: Batch, by: User | None) -> Writing:
        """`by` None: only to be shown, so no address is made."""
        moment, base = _MOMENTS.get(batch.type), settings().base_url
        known = evaluations.of_session(self.session, moment) if moment else {}

        def links(contact: Contact) -> dict[str, str]:
            found = {"espace": spaces.url(self.session, contact) if by else f"{base}/r/…"}
            if moment is not None:
                asked = known.get(contact.id)
                if asked is None and by:
                    asked = evaluations.ensure(self.session, contact, moment)
                found["evaluation"] = evaluations.url(asked, batch.template) if asked else f"{base}/f/…"
            return found

        return templates.writing(
            batch.template, self.organisation, training_session=self.session, author=by, links=links
        )  # fmt: skip

    def _sender(self, template: Template) -> Sender:
        query = select(Sender).where(Sender.organisation_id == self.organisation.id)
        own = Sender.id == template.sender_id if template.sender_id else Sender.is_default
        sender = db.session.scalars(query.order_by(own.desc(), Sender.is_default.desc(), Sender.id).limit(1)).first()
        if sender is None:
            raise UserMistake(_NO_SENDER)
        return sender


def keys_of(values: Sequence[str]) -> set[str]:
    """The keys in a posted form, cut to a sane length."""
    return {value[:80] for value in values[:5000]}
