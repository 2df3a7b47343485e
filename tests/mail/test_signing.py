"""Signatures: what is kept, sent and shown is one message, and dkimpy finds its signature good."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, text

import mail
from documents import blobs
from extensions import db
from mail import domain_keys, mime, resend, signing
from mail.compose import File
from mail.domain_records import key_record
from mail.drain import drain
from mail.signing import Signer, body_hash, canonical_field, stamped
from models import DkimKey, Email, EmailContent
from models.domain_check import SendingDomain
from tests.dkim_oracle import verifies
from tests.mail.test_sending import ask, draft, server  # noqa: F401

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WHEN = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)


class From:
    name, address, reply_to = "Atelier Cassiopée", "formation@cassiopee.example", "secretariat@cassiopee.example"


def record() -> dict[str, str]:
    """What the DNS gives for KEY."""
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {"s1._domainkey.cassiopee.example": key_record(b64encode(public).decode())}


def signed(one, read_blob=blobs.read) -> bytes:
    """The joined bytes of a draft, signed."""
    frozen = mime.freeze(
        one, From(), message_id="<a@cassiopee.example>", pixel_url=None, date=WHEN, read_blob=read_blob
    )
    made = stamped(frozen, Signer("cassiopee.example", "s1", KEY), read_blob)
    whole = mime.join(made.skeleton, made.cuts, read_blob)
    assert (made.size, made.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    bare = mime.join(frozen.skeleton, frozen.cuts, read_blob)
    assert whole.endswith(bare) and whole.startswith(b"DKIM-Signature: v=1;")
    again = signing.unsigned(made, read_blob)
    assert (again.skeleton, again.cuts, again.sha256) == (frozen.skeleton, frozen.cuts, frozen.sha256)
    assert max(map(len, whole[: len(whole) - len(bare)].split(b"\r\n"))) <= 78
    return whole


def test_the_examples_of_the_rfc():
    """RFC 6376, 3.4.5; the body of its appendix A.2, as RFC 8463 hashes it."""
    assert canonical_field(b"A: X\r\n") + canonical_field(b"B : Y\t\r\n\tZ  \r\n") == b"a:X\r\nb:Y Z\r\n"
    assert signing.relaxed_body(b" C \r\nD \t E\r\n\r\n\r\n") == b" C\r\nD E\r\n\r\n\r\n"
    assert body_hash([b" C \r\nD \t E\r\n\r\n\r\n"]) == body_hash([b" C\r\nD E\r\n"])
    game = b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
    assert body_hash([game]) == "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
    assert body_hash([]) == body_hash([b"\r\n\r\n"]) == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


WORDS = st.text(st.sampled_from("aé .=\t\n-—"), max_size=60)


@settings(max_examples=40, deadline=None)
@given(WORDS, WORDS, st.lists(st.binary(max_size=300), max_size=3))
def test_any_message_is_signed_so_that_it_verifies(words, subject, files):
    kept = {hashlib.sha256(content).hexdigest(): content for content in files}
    attached = tuple(File(f"{n}.bin", sha, len(kept[sha]), "application/pdf") for n, sha in enumerate(kept))
    subject = re.sub(r"[\t\n]", "", subject)
    one = draft("zoe@client.example", text=words, html=f"<p>{words}</p>", subject=subject, files=attached)
    whole = signed(one, kept.__getitem__)
    assert verifies(whole, record())
    head, _, body = whole.partition(b"\r\n\r\n")
    assert verifies(head + b"\r\n\r\n" + body.replace(b"\t", b" ") + b"\r\n\r\n", record())


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"Bonjour", b"Bonsoir"), (b"To: ", b"To: autre@x.example, "), (b"Subject: ", b"Subject: x\r\nSubject: "),
     (b"From: ", b"From: mechant@x.example\r\nFrom: "), (b"\r\n.point", b"\r\npoint")],
)  # fmt: skip
def test_a_changed_message_does_not_verify(old, new):
    whole = signed(draft("zoe@client.example"))
    assert verifies(whole, record()) and old in whole
    head, _, body = whole.partition(b"\r\n\tb=")
    changed = head + b"\r\n\tb=" + body.replace(old, new, 1)
    assert not verifies(changed, record())


@pytest.fixture
def published(cassiopee):
    """Cassiopée's domain with a key that the DNS gives."""
    row = SendingDomain(organisation_id=cassiopee.id, domain="cassiopee.example")
    db.session.add(row)
    db.session.flush()
    key = domain_keys.make(row, KEY, "s1")
    key.published_at = func.now()
    db.session.commit()
    return key


def content(email: Email) -> bytes:
    found = db.session.get_one(EmailContent, email.id)
    return mime.join(found.skeleton, found.cuts)


def test_what_is_kept_is_what_is_sent_signature_and_all(cassiopee, published, server):  # noqa: F811
    first, second = ask(cassiopee, "zoe@client.example", "max@client.example")
    drain()
    taken = {one.recipient: one.body for one in server.taken}
    for email, recipient in ((first, "zoe@client.example"), (second, "max@client.example")):
        kept = content(email)
        assert kept.rstrip() == taken[recipient].replace(b"\r\n..", b"\r\n.").rstrip()
        assert kept.count(b"DKIM-Signature:") == 1 and verifies(kept, record())
        assert db.session.get_one(EmailContent, email.id).sha256 == hashlib.sha256(kept).hexdigest()


def test_a_resend_is_signed_anew_or_not_at_all(cassiopee, published):
    (email,) = ask(cassiopee, "zoe@client.example")
    db.session.execute(text("UPDATE email SET status = 'undeliverable'"))
    db.session.commit()
    again = resend.resend(email, by=cassiopee.admin, request_key="again")
    db.session.commit()
    assert content(again).count(b"DKIM-Signature:") == 1 and content(again) != content(email)
    assert verifies(content(again), record())
    published.published_at = None
    db.session.commit()
    third = resend.resend(email, by=cassiopee.admin, request_key="third")
    db.session.commit()
    assert b"DKIM-Signature" not in content(third)


def test_what_is_hastened_is_signed_anew_with_its_new_date(cassiopee, published, server):  # noqa: F811
    (planned,) = ask(cassiopee, "zoe@client.example", send_at=datetime.now(UTC) + timedelta(days=3))
    assert verifies(content(planned), record())
    before = content(planned)
    assert mail.send_now(planned, cassiopee.staff)
    db.session.commit()
    kept = content(planned)
    assert kept != before and kept.count(b"DKIM-Signature:") == 1 and verifies(kept, record())
    found = db.session.get_one(EmailContent, planned.id)
    assert (found.sha256, found.size) == (hashlib.sha256(kept).hexdigest(), len(kept))
    drain()
    assert server.taken[0].body.rstrip() == kept.rstrip()


def test_others_domains_and_unpublished_keys_sign_nothing(cassiopee, boreale, published):
    (theirs,) = ask(boreale, "zoe@client.example")
    assert b"DKIM-Signature" not in content(theirs)
    cassiopee.sender.address = "formation@autre.example"
    (other,) = ask(cassiopee, "zoe@client.example")
    assert b"DKIM-Signature" not in content(other)


def test_a_key_that_cannot_be_read_leaves_mail_unsigned(cassiopee, published):
    db.session.execute(text("UPDATE dkim_key SET private_key = 'nonsense'"))
    (email,) = ask(cassiopee, "zoe@client.example")
    assert b"DKIM-Signature" not in content(email)


def test_the_private_half_is_encrypted_at_rest(published):
    stored = bytes(db.session.execute(text("SELECT private_key FROM dkim_key")).scalar_one())
    assert b"PRIVATE" not in stored and len(stored) > 1600
    assert "private_key" not in db.session.get(DkimKey, published.id, populate_existing=True).__dict__
