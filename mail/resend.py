"""Send an e-mail again: a new one that points to the old, with the very bytes of the first time, or made anew.

Of a copy only To, Message-ID, Date and the open pixel's token differ, and what a person puts above it (mail.copying);
subject, bodies and attachments are copied, not rendered. The old e-mail keeps its status and gets the fact `resent`;
a copy that somebody sends to themselves is no resend, and says so itself (`copied`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select

from documents import spaces
from errors import Permanent, UserMistake
from extensions import db
from mail import anew, copying, headers, mime, outbox, preface, words_of_html
from mail.compose import Draft
from mail.copying import copied
from mail.fold import Fact
from mail.look import Logo
from mail.preface import Preface
from mail.tracking import record
from models import Address, Contact, Email, EmailContent, Organisation, Sender, TrainingSession, User
from models.words import N_, EventKind, Status, Word

__all__ = ["ERASED", "ON_ITS_WAY", "Ask", "Mode", "copied", "corrected", "in_turn", "page_of", "resend", "resendable"]

# STATUSES.md: sent and delivered are final once 72 hours old; the three others at once.
SETTLED_AFTER = timedelta(hours=72)
_FINAL = (Status.OPENED, Status.UNDELIVERABLE, Status.FAILED)
_SETTLING = (Status.SENT, Status.DELIVERED)
ON_ITS_WAY = N_("Cet e-mail est encore en route : il ne peut pas être renvoyé.")
ERASED = N_("Le contenu de cet e-mail a été effacé par la règle de conservation : refaites-le, ou écrivez-en un autre.")
_USED = N_("Cette demande a déjà servi : rechargez la page.")
_NO_FILES = N_("Cet e-mail n'a pas de pièce jointe à télécharger.")
_NO_PAGE = N_("Cet e-mail n'est pas lié à la session d'une personne : elle n'a pas de page d'où télécharger.")
_CLOSED = N_("La page de cette personne est fermée : rouvrez-la depuis les participants de la session.")


class Mode(Word):
    """What leaves: the label and the sentence are French message ids."""

    def __init__(self, _value: str, _label: str, sentence: str) -> None:
        self.sentence = sentence

    COPY = (
        "copy", N_("Copie exacte"),
        N_("Le même e-mail que la première fois, mot pour mot, avec les mêmes pièces jointes."),
    )
    ANEW = (
        "anew", N_("Refait aujourd'hui"),
        N_("Le modèle, la fiche et le document d'aujourd'hui : le texte et les pièces jointes peuvent différer."),
    )
    LINK = (
        "link", N_("Avec un lien de téléchargement"),
        N_("Le même texte sans les pièces jointes : la personne les télécharge sur sa page, par un lien signé."),
    )


@dataclass(frozen=True)
class Ask:
    """How an e-mail is sent again. `to` is another address ("" or None: the same); `said` stands above it; before
    `send_at` it does not leave; `own_copy`: to the person who asks, in place of the recipient."""

    to: str | None = None
    mode: Mode = Mode.COPY
    said: str = ""
    send_at: datetime | None = None
    own_copy: bool = False


def resendable(email: Email, now: datetime | None = None) -> bool:
    """Whether nothing more can become of this e-mail by itself, so that sending it again doubles nothing."""
    if email.status in _SETTLING:
        return (email.sent_at or email.created_at) <= (now or datetime.now(UTC)) - SETTLED_AFTER
    return email.status in _FINAL


def in_turn(organisation_id: int) -> None:
    """Wait for whoever sends again in this organisation, and let nobody else until the transaction ends: what is
    judged then heeds what the others have just asked for."""
    turn = func.hashtextextended(f"resend/{organisation_id}", 0)
    db.session.execute(select(func.pg_advisory_xact_lock(turn)))


def resend(
    email: Email, to: str | None = None, *, by: User | None, request_key: str, ask: Ask | None = None
) -> Email:  # fmt: skip
    """Ask for the same e-mail again, to the corrected address `to` or the same one, in the caller's transaction. `ask`
    says all there is to say about it, `to` included.

    The same `request_key` again gives the same new e-mail, whatever became of the first meanwhile. Raises UserMistake
    for an address that is none, for what cannot be made, for a copy of what was erased, or while the first may still
    arrive; Permanent where its bytes are gone.
    """
    ask = ask or Ask(to)
    in_turn(email.organisation_id)
    if known := outbox.asked_before(email.organisation_id, request_key):
        return _of(email, known[0])
    if not resendable(email):
        raise UserMistake(ON_ITS_WAY)
    content = db.session.get(EmailContent, email.id)
    if content is None:
        raise Permanent(f"the bytes of {email.public_id} are gone")
    if content.erased_at is not None and ask.mode is not Mode.ANEW:
        raise UserMistake(ERASED, "mode")
    organisation = db.session.get_one(Organisation, email.organisation_id)
    draft, sender, freeze = _prepared(email, content, ask, by, organisation)
    if ask.own_copy and by is not None:
        draft = replace(draft, contact_id=None)
    new = outbox.post(
        [draft], organisation=organisation, sender=sender, by=by, request_key=request_key, bulk=False,
        resend_of=email, freeze=freeze, send_at=ask.send_at,
    )[0]  # fmt: skip
    record([_fact(email, _of(email, new), draft, ask, by)])
    return new


def _of(email: Email, new: Email) -> Email:
    """The new e-mail; UserMistake where its key was used for another than this one."""
    if new.resend_of_id != email.id:
        raise UserMistake(_USED)
    return new


def _prepared(
    email: Email, content: EmailContent, ask: Ask, by: User | None, organisation: Organisation
) -> tuple[Draft, Sender, Callable[..., mime.Frozen]]:
    """The draft, whom it leaves from, and what makes its bytes."""
    address = db.session.get_one(Address, email.address_id)
    name = address.name
    to = corrected(ask.to) if ask.to and ask.to.strip() else address.address
    if ask.own_copy and by is not None:
        to, name = corrected(by.email), headers.one_line(by.name)
    above = preface.of(ask.said, by.name if by else organisation.name)
    if ask.mode is Mode.ANEW:
        made = anew.make(email, to, by)
        return replace(_prefaced(made.draft, above), name=name), made.sender, mime.freeze
    sender = db.session.get_one(Sender, email.sender_id)
    draft = copying.draft_of(email, content, to, name, copying.files_of([email.id]).get(email.id, ()))
    if ask.mode is Mode.LINK:
        above = replace(above, link=page_of(email, make=True), files=tuple(file.filename for file in draft.files))
        return _prefaced(_without_files(draft, content), above), sender, mime.freeze
    return draft, sender, copying.copier(lambda _: content, above)


def _fact(email: Email, new: Email, draft: Draft, ask: Ask, by: User | None) -> Fact:
    """What the history says of it: of a resend on the first, of an own copy on the copy."""
    said: dict[str, Any] = {"by": by.name if by else None, "email": new.public_id, "to": draft.recipient}
    if ask.mode is not Mode.COPY:
        said["mode"] = ask.mode.value
    if ask.said.strip():
        said["preface"] = True
    if ask.own_copy and by is not None:
        return Fact(new.id, EventKind.COPIED, "user", email.public_id, new.created_at, data={"by": by.name,
                    "email": email.public_id})  # fmt: skip
    return Fact(email.id, EventKind.RESENT, "user", new.public_id, new.created_at, data=said)


def corrected(address: str) -> str:
    """The address a person typed, as it will be written to. Raises UserMistake (field `to`)."""
    try:
        found = validate_email(address.strip(), check_deliverability=False, allow_smtputf8=True, test_environment=True)
        headers.wire_address(found.normalized)
    except (EmailNotValidError, UserMistake) as error:
        raise UserMistake(N_("Cette adresse e-mail n'est pas valide."), "to") from error
    return found.normalized


def page_of(email: Email, make: bool = False) -> str:
    """The address of the recipient's own page, where the e-mail's files are; without `make` it is only looked whether
    there can be one (""). Raises UserMistake where there is none, or nothing to download."""
    if not email.attachment_count:
        raise UserMistake(_NO_FILES, "mode")
    session = db.session.get(TrainingSession, email.training_session_id) if email.training_session_id else None
    contact = db.session.get(Contact, email.contact_id) if email.contact_id else None
    if session is None or contact is None:
        raise UserMistake(_NO_PAGE, "mode")
    space = spaces.ensure(session, contact) if make else spaces.of_session(session).get(contact.id)
    if space is not None and (space.revoked_at is not None or spaces.is_over(space)):
        raise UserMistake(_CLOSED, "mode")
    return spaces.address(space) if make and space is not None else ""


def _without_files(draft: Draft, content: EmailContent) -> Draft:
    """The same words with nothing attached; the logo, which the HTML shows from within, stays."""
    shown = mime.shown(content.skeleton)
    html = copying.unmarked(shown.html or "")
    logos = [
        Logo(sha256, 0, media_type, 1, 1)
        for cid, (sha256, media_type) in mime.images(content.skeleton, content.cuts).items()
        if cid == Logo(sha256, 0, media_type, 1, 1).cid
    ]
    text = copying.with_places(shown.text) if shown.text is not None else words_of_html.words_of(html)
    return replace(draft, html=html, text=text, files=(), logo=logos[0] if logos else None)


def _prefaced(draft: Draft, above: Preface) -> Draft:
    if not above:
        return draft
    text = above.above_text(draft.text, preface.language_of(draft.html))
    return replace(draft, html=above.above_html(draft.html) if draft.html else "", text=text)
