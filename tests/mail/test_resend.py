"""mail.resend: a new e-mail with the very bytes of the first, the old one left as it was."""

from __future__ import annotations

import email as stdlib_email
import email.policy
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

import mail
from documents import blobs, spaces
from errors import Permanent, UserMistake
from extensions import db
from history import untreated
from history.detail import rows_of
from mail import copying, mime, outbox, preface, resend
from mail.compose import Draft, File
from mail.resend import Ask, Mode
from models import Address, Attachment, DeliveryEvent, Email, EmailContent, OutboxEntry
from models.words import Chip, EventKind, Mark, Status
from tests.conftest import House
from tests.history.making import make_contact, make_session

HTML = "<html><body><p>Bonjour Léa, à bientôt = 50 %</p></body></html>"


def posted(house: House, *files: bytes, html: str = HTML, pixel: bool = True) -> Email:
    """An e-mail as a person asked for it, then failed."""
    house.organisation.track_opens = pixel
    stored = [(f"Pièce n° {n}.pdf", blobs.store(data, "a.pdf")) for n, data in enumerate(files, 1)]
    attached = tuple(File.of(name, blob) for name, blob in stored)
    draft = Draft("lea@exemple.example", "Léa Martin", None, None, "free", "Été n° 1", html, "Bonjour\n.\n", attached)
    (row,) = mail.post([draft], organisation=house.organisation, sender=house.sender, by=house.staff,
                       request_key=str(uuid4()))  # fmt: skip
    db.session.execute(text("UPDATE email SET status = 'failed', reason = 'user_unknown'"))
    db.session.commit()
    return row


def again(old: Email, house: House, to: str | None = None, key: str | None = None) -> Email:
    new = resend.resend(old, to, by=house.admin, request_key=key or str(uuid4()))
    db.session.commit()
    return new


def ask(old: Email, house: House, **how: Any) -> Email:
    new = resend.resend(old, by=house.admin, request_key=str(uuid4()), ask=Ask(**how))
    db.session.commit()
    return new


def facts(row: Email, kind: EventKind) -> list[DeliveryEvent]:
    query = select(DeliveryEvent).where(DeliveryEvent.email_id == row.id, DeliveryEvent.kind == kind)
    return list(db.session.scalars(query))


def wire(row: Email) -> bytes:
    content = db.session.get_one(EmailContent, row.id)
    raw = mime.join(content.skeleton, content.cuts)
    assert (hashlib.sha256(raw).hexdigest(), len(raw)) == (content.sha256, content.size)
    return raw


def parsed(row: Email) -> EmailMessage:
    return stdlib_email.message_from_bytes(wire(row), policy=email.policy.default)  # type: ignore[return-value]


def test_the_same_bytes_but_for_who_when_and_which(cassiopee: House) -> None:
    old = posted(cassiopee, b"%PDF-1.7 one", b"%PDF-1.7 two" * 500)
    new = again(old, cassiopee, "lea.martin@straße.de")
    assert (new.resend_of_id, new.status, new.subject, new.type) == (old.id, Status.REQUESTED, old.subject, old.type)
    assert new.requested_by_id == cassiopee.admin.id and new.attachment_count == 2 and new.open_measured
    first, second = parsed(old), parsed(new)
    assert second["To"].addresses[0].addr_spec == "lea.martin@xn--strae-oqa.de"
    assert second["To"].addresses[0].display_name == "Léa Martin"
    assert first["Message-ID"] != second["Message-ID"] == outbox.message_id(new.id, cassiopee.sender)
    for name in set(first.keys()) - {"To", "Message-ID", "Date"}:
        assert first[name] == second[name]
    assert [p.get_content() for p in first.iter_attachments()] == [p.get_content() for p in second.iter_attachments()]
    was, now = (mime.shown(db.session.get_one(EmailContent, row.id).skeleton) for row in (old, new))
    assert was.text == now.text
    assert was.html.replace(outbox.pixel_url(old.id), outbox.pixel_url(new.id)) == now.html
    rows = db.session.scalars(select(Attachment).where(Attachment.email_id == new.id).order_by(Attachment.position))
    assert [row.filename for row in rows] == ["Pièce n° 1.pdf", "Pièce n° 2.pdf"]
    assert db.session.get_one(Address, new.address_id).address == "lea.martin@straße.de"


def test_the_old_one_keeps_its_status_and_says_it_was_resent(cassiopee: House) -> None:
    old = posted(cassiopee)
    key = str(uuid4())
    new = again(old, cassiopee, key=key)
    assert again(old, cassiopee, key=key).id == new.id
    db.session.refresh(old)
    assert old.status is Status.FAILED and old.has(Mark.RESENT)
    (fact,) = db.session.scalars(
        select(DeliveryEvent).where(DeliveryEvent.email_id == old.id, DeliveryEvent.kind == EventKind.RESENT)
    )
    assert fact.data == {"by": cassiopee.admin.name, "email": new.public_id, "to": "lea@exemple.example"}
    assert len(list(db.session.scalars(select(Email)))) == 2


@pytest.mark.parametrize(
    "wrong", ["lea", "lea@", "a@b.fr, c@d.fr", "a@b.fr\r\nBcc: x@y.fr", "a b@c.fr", "@", "x" * 400]
)
def test_a_wrong_address_is_refused(cassiopee: House, wrong: str) -> None:
    old = posted(cassiopee)
    with pytest.raises(UserMistake) as caught:
        resend.resend(old, wrong, by=cassiopee.admin, request_key="k")
    assert caught.value.field == "to"


def test_only_what_is_settled_is_sent_again(cassiopee: House) -> None:
    now = datetime.now(UTC)
    cases = [(Status.REQUESTED, 99, False), (Status.UNCERTAIN, 99, False), (Status.SENT, 71, False),
             (Status.SENT, 73, True), (Status.DELIVERED, 71, False), (Status.DELIVERED, 73, True),
             (Status.OPENED, 0, True), (Status.UNDELIVERABLE, 0, True), (Status.FAILED, 0, True)]  # fmt: skip
    for status, hours, expected in cases:
        assert resend.resendable(Email(status=status, sent_at=now - timedelta(hours=hours)), now) is expected
    old = posted(cassiopee)
    db.session.execute(text("UPDATE email SET status = 'requested'"))
    db.session.commit()
    with pytest.raises(UserMistake, match="en route"):
        resend.resend(old, by=cassiopee.admin, request_key="k")


def test_tracking_follows_the_first_letter_and_todays_switch(cassiopee: House) -> None:
    plain = posted(cassiopee, pixel=False)
    cassiopee.organisation.track_opens = True
    new = again(plain, cassiopee)
    assert not new.open_measured and b"/t/o/" not in wire(new)
    tracked = posted(cassiopee, pixel=True)
    cassiopee.organisation.track_opens = False
    new = again(tracked, cassiopee)
    assert not new.open_measured and b"gif" not in wire(new)
    assert mime.shown(db.session.get_one(EmailContent, new.id).skeleton).html.strip() == HTML


def test_a_key_used_for_another_email_is_refused_and_lost_bytes_are_said(cassiopee: House) -> None:
    first, second = posted(cassiopee), posted(cassiopee)
    again(first, cassiopee, key="k")
    with pytest.raises(UserMistake, match="déjà servi"):
        resend.resend(second, by=cassiopee.admin, request_key="k")
    db.session.execute(text("DELETE FROM email_content"))
    with pytest.raises(Permanent):
        resend.resend(second, by=cassiopee.admin, request_key="l")


_words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=90)
_data = st.lists(st.binary(min_size=1, max_size=99), max_size=2)
WHEN = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)


@settings(max_examples=80, deadline=None)
@given(subject=_words, name=_words, html=_words, text=_words, data=_data)
def test_a_copy_equals_what_would_have_been_frozen(
    subject: str, name: str, html: str, text: str, data: list[bytes]
) -> None:
    store = {hashlib.sha256(d).hexdigest(): d for d in data}
    files = tuple(File("a.pdf", sha, len(d), "application/pdf") for sha, d in store.items())
    sender = type("S", (), {"name": "Atelier", "address": "a@example.org", "reply_to": ""})()
    urls = ["https://x.example/t/o/" + letter * 40 + ".gif" for letter in "ab"]
    draft = Draft("a@b.example", name, None, None, "free", subject, f"<p>{html}</p>", text, files)
    one = mime.freeze(draft, sender, message_id="1@x", pixel_url=urls[0], date=WHEN, read_blob=store.__getitem__)
    changed = Draft("é@d.example", name, None, None, "free", subject, f"<p>{html}</p>", text, files)
    later = WHEN + timedelta(days=1)
    two = mime.freeze(changed, sender, message_id="2@x", pixel_url=urls[1], date=later, read_blob=store.__getitem__)
    copy = copying.copied(one.skeleton, one.cuts, changed, message_id="2@x", pixel_url=urls[1], date=later,
                         read_blob=store.__getitem__)  # fmt: skip
    assert copy == two


_HIDDEN = "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_said = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters=_HIDDEN), max_size=60)


@settings(max_examples=80, deadline=None)
@given(said=_said, html=_words, text=_words, data=_data, with_html=st.booleans(), page=st.booleans())
def test_a_copy_with_words_above_equals_the_letter_with_them(
    said: str, html: str, text: str, data: list[bytes], with_html: bool, page: bool
) -> None:
    store = {hashlib.sha256(d).hexdigest(): d for d in data}
    files = tuple(File("a.pdf", sha, len(d), "application/pdf") for sha, d in store.items())
    sender = type("S", (), {"name": "Atelier", "address": "a@example.org", "reply_to": ""})()
    whole = f'<html lang="en"><body class="x">{html}</body></html>' if page else f"<p>{html}</p>"
    draft = Draft("a@b.example", "n", None, None, "free", "s", whole if with_html else "", text, files)
    url = "https://x.example/t/o/" + "a" * 40 + ".gif"
    keys: dict[str, Any] = {"message_id": "1@x", "pixel_url": url, "date": WHEN, "read_blob": store.__getitem__}
    above = preface.of(said, "Agnès")
    one = mime.freeze(draft, sender, **keys)
    copy = copying.copied(one.skeleton, one.cuts, draft, preface=above, **keys)
    said_of = above.above_html(draft.html) if above and draft.html else draft.html
    language = "en" if page and with_html else "fr"
    # what ends a part's last line is the encoding's
    told = above.above_text(mime.from_quoted_printable(mime.quoted_printable(text)), language) if above else text
    two = mime.freeze(replace(draft, html=said_of, text=told), sender, **keys)
    assert mime.shown(copy.skeleton).text == mime.shown(two.skeleton).text
    assert (mime.shown(copy.skeleton).html or "").rstrip("\n") == (mime.shown(two.skeleton).html or "").rstrip("\n")
    assert mime.join(copy.skeleton, copy.cuts, store.__getitem__).count(b"--=_sillage") == mime.join(
        two.skeleton, two.cuts, store.__getitem__
    ).count(b"--=_sillage")
    assert (copy.size, len(copy.cuts)) == (len(mime.join(copy.skeleton, copy.cuts, store.__getitem__)), len(one.cuts))
    if not above:
        assert copy == one


def test_a_persons_words_stand_above_in_both_parts_and_are_text(cassiopee: House) -> None:
    old = posted(cassiopee, b"%PDF-1.7 one")
    said = "Bonjour <b>Léa</b>,\n\n--=_sillage_mixed\nvoici la bonne adresse."
    new = ask(old, cassiopee, said=said)
    shown = mime.shown(db.session.get_one(EmailContent, new.id).skeleton)
    assert shown.text.startswith(f"{cassiopee.admin.name} vous écrit\u00a0:\n{said}\n\n{'-' * 40}\n\nBonjour\n.\n")
    assert '<p style="margin:0 0 10px 0">Bonjour &lt;b&gt;Léa&lt;/b&gt;,</p>' in shown.html
    assert shown.html.index("voici la bonne adresse.") < shown.html.index("Bonjour Léa, à bientôt = 50 %")
    message = parsed(new)
    assert [p.get_content() for p in message.iter_attachments()] == [b"%PDF-1.7 one"]
    (fact,) = facts(old, EventKind.RESENT)
    assert fact.data["preface"] is True
    for wrong in ("x" * 2001, "a\x00b", "a\u202eb"):
        with pytest.raises(UserMistake) as caught:
            ask(old, cassiopee, said=wrong)
        assert caught.value.field == "preface"
        db.session.rollback()


def test_a_link_takes_the_place_of_the_attachments(cassiopee: House) -> None:
    old = posted(cassiopee, b"%PDF-1.7 one", b"%PDF-1.7 two")
    session = make_session(cassiopee, "Python")
    contact = make_contact(cassiopee, "Léa Martin", email="lea@exemple.example")
    old.training_session_id, old.contact_id = session.id, contact.id
    db.session.commit()
    new = ask(old, cassiopee, mode=Mode.LINK, said="Trop lourd.")
    message = parsed(new)
    assert list(message.iter_attachments()) == [] and new.attachment_count == 0
    shown = mime.shown(db.session.get_one(EmailContent, new.id).skeleton)
    address = spaces.address(spaces.of_session(session)[contact.id])
    for part in (shown.text, shown.html):
        assert address in part and "Pièce n° 1.pdf" in part and "Trop lourd." in part
        assert part.index("Trop lourd.") < part.index(address) < part.index("Bonjour")
    assert outbox.pixel_url(new.id) in shown.html and outbox.pixel_url(old.id) not in shown.html
    space = spaces.open_(address.rpartition("/")[2])
    assert [len(letter.files) for letter in spaces.letters(space)] == [0, 2]
    spaces.revoke(space)
    db.session.commit()
    with pytest.raises(UserMistake, match="fermée"):
        ask(old, cassiopee, mode=Mode.LINK)


def test_there_is_no_link_without_a_page_or_files(cassiopee: House) -> None:
    with pytest.raises(UserMistake, match="pas de pièce jointe"):
        ask(posted(cassiopee), cassiopee, mode=Mode.LINK)
    with pytest.raises(UserMistake, match="pas lié"):
        ask(posted(cassiopee, b"%PDF-1.7 one"), cassiopee, mode=Mode.LINK)


def test_an_own_copy_is_marked_and_is_no_resend_that_arrived(cassiopee: House) -> None:
    old = posted(cassiopee, b"%PDF-1.7 one")
    old.contact_id = make_contact(cassiopee, "Léa Martin").id
    db.session.commit()
    today = datetime.now(UTC).date()
    new = ask(old, cassiopee, own_copy=True)
    assert parsed(new)["To"].addresses[0].addr_spec == cassiopee.admin.email
    assert (new.resend_of_id, new.contact_id) == (old.id, None)
    db.session.refresh(old)
    assert not old.has(Mark.RESENT) and facts(old, EventKind.RESENT) == []
    (fact,) = facts(new, EventKind.COPIED)
    assert fact.data == {"by": cassiopee.admin.name, "email": old.public_id}
    (row,) = rows_of(cassiopee.id, [new.public_id])
    assert Chip.OWN_COPY in [shown.chip for shown in row.chips]
    db.session.execute(text("UPDATE email SET status = 'opened' WHERE id = :i"), {"i": new.id})
    db.session.execute(text("UPDATE email SET marks = marks | 32 WHERE id = :i"), {"i": old.id})
    db.session.commit()
    assert untreated.read(cassiopee.id, today).total == 1, "the copy arrived, the e-mail did not"
    true = ask(old, cassiopee, to="lea2@exemple.example")
    db.session.execute(text("UPDATE email SET status = 'opened' WHERE id = :i"), {"i": true.id})
    db.session.commit()
    assert untreated.read(cassiopee.id, today).total == 0


def test_a_resend_may_wait_for_its_hour(cassiopee: House) -> None:
    moment = datetime.now(UTC) + timedelta(hours=20)
    new = ask(posted(cassiopee), cassiopee, send_at=moment)
    assert db.session.get_one(OutboxEntry, new.id).next_attempt_at == moment
    assert parsed(new)["Date"].datetime == moment.replace(microsecond=0)
