"""mail.mime: spliced bytes say what the standard library's would, come back exactly, and carry no stranger's header."""

from __future__ import annotations

import email
import email.policy
import hashlib
import json
import os
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import UserMistake
from mail import headers, mime
from mail.compose import Draft, File
from mail.copying import copied
from mail.look import Logo

WHEN = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
SENDER = SimpleNamespace(name="Atelier Cassiopée, SARL", address="formation@cassiopee.example", reply_to="")
BLOBS: dict[str, bytes] = {}
HEADERS = ["Message-ID", "Date", "Subject", "To", "From", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version",
           "Content-Type"]  # fmt: skip
LINE_BREAKERS = list("\r\n\0\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\t\x7f")
INJECTIONS = [f"Bonjour{b}{tail}" for b in ("\r\n", "\n", "\r", "\x85", "\u2028", "\0")
              for tail in ("Bcc: spy@evil.example", "\r\n<script>", " folded: x", "", "X-Evil: 1\r\nTo: you",
                           "Content-Type: text/html", ".\r\nMAIL FROM:<x@y>", "=?utf-8?q?=0ABcc:_x?=")]  # fmt: skip


def blob(data: bytes, filename: str, media_type: str = "application/pdf") -> File:
    sha256 = hashlib.sha256(data).hexdigest()
    BLOBS[sha256] = data
    return File(filename, sha256, len(data), media_type)


def logo(data: bytes = b"\x89PNG" + b"l" * 200) -> Logo:
    file = blob(data, "logo.png", "image/png")
    return Logo(file.sha256, file.size, file.media_type, 100, 40)


def draft(**changes: Any) -> Draft:
    values: dict[str, Any] = {
        "recipient": "lea.martin@example.org", "name": "Léa Martin", "contact_id": None, "training_session_id": None,
        "type": "free", "subject": "Votre session", "html": "<html><body><p>Été</p></body></html>", "text": "Été\n",
    }  # fmt: skip
    return Draft(**(values | changes))


def freeze(d: Draft, sender: Any = SENDER, pixel_url: str | None = None) -> mime.Frozen:
    return mime.freeze(d, sender, message_id="abc@cassiopee.example", pixel_url=pixel_url, date=WHEN,
                       read_blob=BLOBS.__getitem__)  # fmt: skip


def joined(frozen: mime.Frozen) -> bytes:
    return mime.join(frozen.skeleton, frozen.cuts, BLOBS.__getitem__)


def parse(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]


def words(message: EmailMessage, name: str) -> str:
    """A header by RFC 2047 alone, without the structured parser."""
    raw = next(value for key, value in message.raw_items() if key == name)
    raw = raw.encode("utf-8", "surrogateescape").decode()
    return str(make_header(decode_header(raw.replace("\r\n", "").replace("\n", ""))))


def named(message: EmailMessage, header: str) -> tuple[str, str]:
    """The one mailbox of a header; its name without spaces, which Python 3.11 adds between encoded words."""
    (mailbox,) = message[header].addresses
    name = mailbox.display_name.encode("utf-8", "surrogateescape").decode()
    return name.replace(" ", ""), mailbox.addr_spec.encode("utf-8", "surrogateescape").decode()


def parts(message: EmailMessage) -> list[tuple[str, str | None, Any]]:
    return [
        (p.get_content_type(), p.get_filename(), _content(p)) for p in message.walk() if not p.is_multipart()
    ]  # fmt: skip


def _content(part: Any) -> Any:
    content = part.get_payload(decode=True)
    return content.decode().replace("\r\n", "\n") if part.get_content_maintype() == "text" else content


# What a form may bring: no line ends and no lone surrogates in lines.
_line = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=120)
_body = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=400)
_local = st.text("abcdefghijklmnopqrstuvwxyzé0123456789+_-'", min_size=1, max_size=40)
_domain = st.sampled_from(["example.org", "straße.de", "élan-formation.fr", "пример.рф", "a.very.long.domain.example"])
_media_type = st.sampled_from(["application/pdf", "message/rfc822", "image/png"])
_file = st.builds(blob, st.binary(min_size=1, max_size=500), _line.filter(bool), _media_type)


@settings(max_examples=120, deadline=None)
@given(
    subject=_line, name=_line, local=_local, domain=_domain, text=_body, html=_body,
    files=st.lists(_file, max_size=3).map(tuple), sender_name=_line, pixel=st.sampled_from([None, "https://x.example/t/o/a.gif"]),
    with_logo=st.booleans(),
)  # fmt: skip
def test_spliced_is_what_the_standard_library_builds(
    subject: str, name: str, local: str, domain: str, text: str, html: str, files: tuple[File, ...], sender_name: str,
    pixel: str | None, with_logo: bool,
) -> None:  # fmt: skip
    subject, name = " ".join(subject.split()), " ".join(name.split())
    sender = SimpleNamespace(name=" ".join(sender_name.split()), address="a@example.org", reply_to="")
    d = draft(subject=subject, name=name, recipient=f"{local}@{domain}", text=text, html=html, files=files,
              logo=logo() if with_logo else None)  # fmt: skip
    frozen = freeze(d, sender, pixel)
    ours_raw = joined(frozen)
    assert hashlib.sha256(ours_raw).hexdigest() == frozen.sha256 and len(ours_raw) == frozen.size
    assert all(len(line) <= 998 for line in ours_raw.split(b"\r\n")) and b"\n" not in ours_raw.replace(b"\r\n", b"")
    built = mime.build(
        d, sender, message_id="abc@cassiopee.example", pixel_url=pixel, date=WHEN, read_blob=BLOBS.__getitem__
    )
    policy = email.policy.SMTPUTF8 if frozen.smtputf8 else email.policy.SMTP
    ours, theirs = parse(ours_raw), parse(built.as_bytes(policy=policy))
    assert sorted(ours.keys()) == sorted(theirs.keys())
    assert named(ours, "From") == named(theirs, "From") == (sender.name.replace(" ", ""), sender.address)
    assert named(ours, "To") == (name.replace(" ", ""), headers.wire_address(d.recipient)[0])
    for header in ("Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "Content-Type"):
        assert ours[header] == theirs[header]
    assert words(ours, "Subject") == subject == words(theirs, "Subject")
    assert dict(mime.shown(frozen.skeleton).headers)["To"] == (
        f"{name} <{headers.wire_address(d.recipient)[0]}>" if name else headers.wire_address(d.recipient)[0]
    )
    assert parts(ours) == parts(theirs)
    assert frozen.smtputf8 == (not local.isascii())
    if not frozen.smtputf8:
        assert ours_raw.isascii()


def test_the_headers_are_exactly_those_asked() -> None:
    message = parse(joined(freeze(draft())))
    assert sorted(message.keys()) == sorted(HEADERS)
    assert message["From"].addresses[0].display_name == SENDER.name
    assert message["To"] == "Léa Martin <lea.martin@example.org>"
    assert message["Message-ID"] == "<abc@cassiopee.example>"
    assert message["Auto-Submitted"] == "auto-generated" and message["X-Auto-Response-Suppress"] == "All"
    assert message["Date"].datetime == WHEN


@pytest.mark.parametrize("evil", INJECTIONS, ids=range(len(INJECTIONS)))
def test_injected_lines_are_refused_everywhere(evil: str) -> None:
    assert len(INJECTIONS) == 48
    file = blob(b"x", evil)
    for wrong in (draft(subject=evil), draft(name=evil), draft(recipient=f"{evil}@example.org"), draft(files=(file,))):
        with pytest.raises(UserMistake):
            freeze(wrong)
    for field in ("name", "address", "reply_to"):
        with pytest.raises(UserMistake):
            freeze(draft(), SimpleNamespace(**(vars(SENDER) | {field: evil})))


@pytest.mark.parametrize("breaker", LINE_BREAKERS, ids=[f"U+{ord(b):04X}" for b in LINE_BREAKERS])
def test_every_line_breaker_is_refused(breaker: str) -> None:
    with pytest.raises(UserMistake):
        headers.one_line(f"a{breaker}b")


@pytest.mark.parametrize(
    "address",
    ["", "@", "a@", "@b.fr", "a b@c.fr", "a@b.fr, c@d.fr", "<a@b.fr>", 'a"b@c.fr', f"a@{'é' * 300}.fr", "a(b)@c.fr"],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UserMistake):
        headers.wire_address(address)


def test_encoded_words_typed_by_a_person_stay_as_typed() -> None:
    trick = "=?utf-8?q?=0D=0ABcc:_spy@evil.example?="
    message = parse(joined(freeze(draft(subject=trick, name=trick))))
    assert message["Subject"] == trick and message["To"].addresses[0].display_name == trick
    assert "Bcc" not in message


@pytest.mark.parametrize(
    "name",
    ['Le "devis".pdf', "a\\b.pdf", "שלום עולם.pdf", "é" * 150 + ".pdf", "a" * 300 + ".pdf", "100 %25.pdf",
     "' or 1=1;.pdf", "fichier;name=autre.exe", "..\\..\\win.ini", "emoji 🎓.pdf", "%0d%0aBcc: x"],
)  # fmt: skip
def test_attachment_names_come_back_as_given(name: str) -> None:
    data = os.urandom(300)
    frozen = freeze(draft(files=(blob(data, name),)))
    (attachment,) = parse(joined(frozen)).iter_attachments()
    assert (attachment.get_filename(), attachment.get_content()) == (name, data)
    assert attachment.get_content_disposition() == "attachment"


def test_a_file_name_that_plays_an_encoded_word_is_refused() -> None:
    with pytest.raises(UserMistake):
        freeze(draft(files=(blob(b"x", "=?utf-8?q?a=0D=0ABcc:_x?=.pdf"),)))


def test_skeletons_hold_no_attachment_and_files_need_not_be_read_twice() -> None:
    first, second = blob(b"%PDF-1.7" + b"a" * 90_000, "a.pdf"), blob(b"%PDF-1.7" + b"b" * 50_000, "b.pdf")
    frozen = freeze(draft(files=(first, second)))
    assert len(frozen.skeleton) < 2500 and [sha for _, sha in frozen.cuts] == [first.sha256, second.sha256]
    assert json.loads(json.dumps(frozen.cuts)) == frozen.cuts
    reads: list[str] = []

    def read(sha256: str) -> bytes:
        reads.append(sha256)
        return BLOBS[sha256]

    third = blob(os.urandom(1000), "c.pdf")
    for number in range(5):
        d = draft(name=f"N {number}", files=(third,))
        mime.freeze(d, SENDER, message_id=f"{number}@x", pixel_url=None, date=WHEN, read_blob=read)
    assert reads == [third.sha256]


def test_a_logo_stands_in_the_letter_and_is_no_attachment() -> None:
    first, mark = blob(b"%PDF-1.7" + b"a" * 9000, "a.pdf"), logo()
    frozen = freeze(draft(logo=mark, files=(first,), html=f'<p><img src="cid:{mark.cid}"></p>'))
    message = parse(joined(frozen))
    assert [p.get_content_type() for p in message.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
        "application/pdf",
    ]  # fmt: skip
    assert [part.get_filename() for part in message.iter_attachments()] == ["a.pdf"]
    image = [p for p in message.walk() if p.get_content_type() == "image/png"][0]
    assert image["Content-ID"] == f"<{mark.cid}>" and image.get_content_disposition() == "inline"
    assert image.get_content() == BLOBS[mark.sha256]
    assert [sha for _, sha in frozen.cuts] == [mark.sha256, first.sha256]
    assert mime.images(frozen.skeleton, frozen.cuts) == {mark.cid: (mark.sha256, "image/png")}
    assert len(frozen.skeleton) < 3000 and f"cid:{mark.cid}" in (mime.shown(frozen.skeleton).html or "")
    plain = freeze(draft(logo=mark, html=""))
    assert not plain.cuts and parse(joined(plain)).get_content_type() == "text/plain"
    # a file that calls itself an inline image is none: only what stands beside the HTML is
    assert mime.images(*(lambda f: (f.skeleton, f.cuts))(freeze(draft(files=(first,))))) == {}


def test_a_letter_with_a_logo_is_resent_byte_for_byte() -> None:
    mark, pdf = logo(), blob(b"%PDF-1.7" + b"z" * 5000, "z.pdf")
    url = "https://mail.example/t/o/abcdefghijklmnopqrstuvwxyz.gif"
    first = draft(logo=mark, files=(pdf,), html=f'<html><body><img src="cid:{mark.cid}"></body></html>')
    frozen = freeze(first, pixel_url=url)
    again = copied(
        frozen.skeleton, frozen.cuts, draft(recipient="autre.adresse.plus.longue@example.org"), message_id="2@x",
        pixel_url=url.replace("abc", "xyzw"), date=WHEN, read_blob=BLOBS.__getitem__,
    )  # fmt: skip
    old, new = parse(joined(frozen)), parse(joined(again))
    strip = [(p.get_content_type(), p.get_payload(decode=True)) for p in old.walk() if not p.is_multipart()]
    kept = [(p.get_content_type(), p.get_payload(decode=True)) for p in new.walk() if not p.is_multipart()]
    assert kept[0] == strip[0] and kept[2:] == strip[2:]
    assert kept[1][1] == strip[1][1].replace(b"/abc", b"/xyzw")
    assert mime.images(again.skeleton, again.cuts) == mime.images(frozen.skeleton, frozen.cuts)


def test_rfc822_files_travel_as_bytes_not_as_messages() -> None:
    file = blob(b"From: a\n\nb", "m.eml", "message/rfc822")
    (attachment,) = parse(joined(freeze(draft(files=(file,))))).iter_attachments()
    assert (attachment.get_content_type(), attachment.get_content()) == ("application/octet-stream", b"From: a\n\nb")


def test_the_pixel_is_the_letters_last_element_and_shown_gives_the_letter_back() -> None:
    url = "https://mail.example/t/o/abc.gif?a=1&b=2"
    long_name = "Très long nom de famille à rallonge, de la Haute-Épine et de l'Étang-sur-Mer"
    frozen = freeze(draft(name=long_name, text="Bonjour,\n.\nFrom là-bas\n"), pixel_url=url)
    seen = mime.shown(frozen.skeleton)
    assert seen.html is not None and seen.html.rstrip().endswith('style="border:0"></body></html>')
    assert "https://mail.example/t/o/abc.gif?a=1&amp;b=2" in seen.html
    assert seen.text == "Bonjour,\n.\nFrom là-bas\n"
    assert dict(seen.headers)["To"] == f"{long_name} <lea.martin@example.org>"
    assert [name for name, _ in seen.headers][:4] == ["Message-ID", "Date", "Subject", "To"]


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff\xfe", b"Subject: =?x?q?a?=\r\n\r\nhi", b"Content-Type: text/html; charset=nope\r\n\r\n\xe9",
     b"To: \xe9 <a@b>\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%"],
)  # fmt: skip
def test_shown_withstands_what_it_cannot_read(raw: bytes) -> None:
    assert isinstance(mime.shown(raw), mime.Shown)


def test_hostile_samples_make_one_header_each_or_a_refusal() -> None:
    folder = Path(os.environ.get("SILLAGE_SAMPLES", "../shared/samples")) / "hostile"
    lines = [line for name in ("crlf", "string", "path") if (folder / f"{name}.jsonl").exists()
             for line in (folder / f"{name}.jsonl").read_text().splitlines()]  # fmt: skip
    for line in lines:
        payload = json.loads(line)["payload"]
        payload = payload if isinstance(payload, str) else json.dumps(payload)
        for d in (draft(subject=payload), draft(name=payload), draft(files=(blob(b"x", payload or "x"),))):
            try:
                frozen = freeze(d)
            except UserMistake:
                continue
            message = parse(joined(frozen))
            assert sorted(message.keys()) == sorted(HEADERS)
            if d.subject == payload:
                assert words(message, "Subject") == payload
