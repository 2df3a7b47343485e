"""documents.store: what is generated, kept, found stale, attached; what was sent never changes."""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from documents import blobs, sheets, store
from documents.sheet_pages import Bill
from errors import UserMistake
from extensions import db
from models import Contact, Document, DocumentKind, Enrolment, Module, Programme, TrainingSession
from models.document import InvoiceNumber
from models.words import ContactKind
from people import training
from tests.conftest import House


def person(house: House, kind: ContactKind, name: str, **columns: object) -> Contact:
    contact = Contact(
        organisation_id=house.id, kind=kind, name=name, sort_name=name.lower(),
        email=f"{name.split()[0].lower()}@exemple.fr", **columns,
    )  # fmt: skip
    db.session.add(contact)
    db.session.flush()
    return contact


def a_session(house: House, **columns: object) -> TrainingSession:
    run = TrainingSession(
        organisation_id=house.id, title="Premiers secours", reference="APS-1", place="Nantes", **columns
    )
    start = datetime(2026, 12, 1, 8, tzinfo=UTC)
    for n in range(2):
        begins = start + timedelta(days=n)
        run.modules.append(
            Module(organisation_id=house.id, title=f"Module {n}", starts_at=begins, ends_at=begins + timedelta(hours=7))
        )
    db.session.add(run)
    db.session.flush()
    return run


@pytest.fixture
def run(cassiopee: House) -> TrainingSession:
    """A session with a company, two of its learners, one of nobody's, a trainer and a funder."""
    made = a_session(cassiopee, price=Decimal("690.00"))
    company = person(cassiopee, ContactKind.COMPANY, "Mairie de Saint-Malo")
    learners = [
        person(
            cassiopee, ContactKind.LEARNER, name, company_id=company.id if n < 2 else None, language="en" if n else "fr"
        )
        for n, name in enumerate(("Camille Bernard", "Karim Haddad", "Paul Lemaire"))
    ]
    others = [person(cassiopee, ContactKind.TRAINER, "Jeanne Riou"), person(cassiopee, ContactKind.FUNDER, "OPCO")]
    training.enrol(made, [company, *learners, *others])
    db.session.commit()
    return made


def of(run: TrainingSession, kind: ContactKind) -> list[Contact]:
    return sheets.roll_of(run).of(kind)


@pytest.mark.parametrize("kind", sheets.made_here())
def test_every_kind_is_made_kept_and_current(run: TrainingSession, cassiopee: House, kind: DocumentKind) -> None:
    people = [contact for one in kind.kinds for contact in of(run, one)]
    made = store.generate(kind, run, people, cassiopee.staff)
    db.session.commit()
    assert len(made) == (len(people) if kind.kinds else 1)
    assert store.current(run, kind) == {document.contact_id: document for document in made}
    for document in made:
        assert blobs.read(document.sha256).startswith(b"%PDF-1.7")
        assert document.blob.media_type == "application/pdf" and document.filename.endswith("APS-1.pdf")
        assert document.made_by_id == cassiopee.staff.id and document.organisation_id == cassiopee.id
        assert len(document.facts_sha256) == 64


def test_made_again_on_the_same_day_says_and_is_the_same(run: TrainingSession, cassiopee: House) -> None:
    learners = of(run, ContactKind.LEARNER)
    first = store.generate(DocumentKind.CERTIFICATE, run, learners[:1], None)[0]
    again = store.generate(DocumentKind.CERTIFICATE, run, learners[:1], None)[0]
    assert again.id > first.id and (again.sha256, again.facts_sha256) == (first.sha256, first.facts_sha256)
    assert store.current(run, DocumentKind.CERTIFICATE) == {learners[0].id: again}


def test_a_moved_session_makes_what_was_made_stale(run: TrainingSession) -> None:
    learner = of(run, ContactKind.LEARNER)[0]
    (before,) = store.files(["convocation"], run, learner)
    assert store.files(["convocation"], run, learner)[0].document.id == before.document.id, "nothing changed: kept"
    assert not store.Shelf(run).stale(DocumentKind.CONVOCATION, learner, before.document)
    run.modules[0].starts_at += timedelta(hours=1)
    db.session.commit()
    assert store.Shelf(run).stale(DocumentKind.CONVOCATION, learner, before.document)
    (after,) = store.files(["convocation"], run, learner)
    assert after.document.id != before.document.id and after.sha256 != before.sha256
    assert blobs.read(before.sha256) != blobs.read(after.sha256), "the bytes sent before are there unchanged"


def test_the_modules_followed_are_what_a_person_is_convened_to(run: TrainingSession, cassiopee: House) -> None:
    learner = of(run, ContactKind.LEARNER)[0]
    enrolment = db.session.scalar(select(Enrolment).where(Enrolment.contact_id == learner.id))
    assert enrolment is not None
    said = sheets.said(DocumentKind.CONVOCATION, run, learner, cassiopee.organisation)
    assert [row[2] for row in said["modules"]] == ["Module 0", "Module 1"]
    enrolment.module_ids = [run.modules[1].id]
    db.session.commit()
    said = sheets.said(DocumentKind.CONVOCATION, run, learner, cassiopee.organisation)
    assert [row[2] for row in said["modules"]] == ["Module 1"]
    assert dict(said["session"]["facts"])["Dates"] == "le 2 décembre 2026"


def test_files_are_those_that_concern_the_person(run: TrainingSession) -> None:
    company, (funder,) = of(run, ContactKind.COMPANY)[0], of(run, ContactKind.FUNDER)
    learner = of(run, ContactKind.LEARNER)[0]
    names = [ready.filename for ready in store.files(["convocation", "programme", "event"], run, company)]
    assert names == [
        "Convocation APS-1 - Camille Bernard.pdf", "Joining instructions APS-1 - Karim Haddad.pdf",
        "Programme APS-1.pdf",
    ]  # fmt: skip
    (theirs,) = store.files(["convention"], run, funder)
    assert theirs.filename == "Convention APS-1 - Mairie de Saint-Malo.pdf"
    assert [r.filename for r in store.files(["rules", "convocation"], run, learner)] == [
        "Règlement intérieur APS-1.pdf", "Convocation APS-1.pdf",
    ]  # fmt: skip
    with pytest.raises(UserMistake, match="Jeanne Riou"):
        store.files(["certificate"], run, of(run, ContactKind.TRAINER)[0])
    with pytest.raises(UserMistake):
        store.generate(DocumentKind.CONVENTION, run, [learner], None)


def test_uploads_are_attached_and_withdrawn_but_not_deleted(run: TrainingSession, cassiopee: House) -> None:
    first, second = of(run, ContactKind.LEARNER)[:2]
    plan = store.keep(run, DocumentKind.UPLOADED, None, blobs.store(b"plan", "plan.txt"), "plan.txt", cassiopee.staff)
    own = store.keep(run, DocumentKind.UPLOADED, second, blobs.store(b"own", "own.txt"), "own.txt", cassiopee.staff)
    assert [r.filename for r in store.files(["uploaded"], run, first)] == ["plan.txt"]
    assert [r.filename for r in store.files(["uploaded"], run, second)] == ["plan.txt", "own.txt"]
    store.withdraw(plan)
    db.session.commit()
    assert store.uploaded(run) == [own] and store.files(["uploaded"], run, first) == ()
    assert db.session.scalar(select(func.count()).select_from(Document)) == 2 and blobs.read(plan.sha256) == b"plan"


def test_a_file_put_in_place_of_a_document_is_never_stale(run: TrainingSession, cassiopee: House) -> None:
    made = store.generate(DocumentKind.RULES, run, [], None)[0]
    own = store.keep(run, DocumentKind.RULES, None, blobs.store(b"%PDF-1.4 ours", "r.pdf"), "r.pdf", cassiopee.staff)
    run.title = "Autre titre"
    db.session.commit()
    learner = of(run, ContactKind.LEARNER)[0]
    assert [ready.sha256 for ready in store.files(["rules"], run, learner)] == [own.sha256]
    store.withdraw(own)
    db.session.commit()
    assert store.current(run, DocumentKind.RULES) == {None: made}, "what was generated before comes back"


def test_invoices_are_numbered_without_a_gap_and_once(run: TrainingSession, cassiopee: House, boreale: House) -> None:
    company, (funder,) = of(run, ContactKind.COMPANY)[0], of(run, ContactKind.FUNDER)
    store.generate(DocumentKind.INVOICE, run, [company, funder], None)
    db.session.commit()
    store.generate(DocumentKind.INVOICE, run, [company], None)
    with pytest.raises(UserMistake, match="%|n'existe"):
        store.generate(DocumentKind.INVOICE, run, of(run, ContactKind.LEARNER), None)
    other = a_session(boreale, price=Decimal("10"))
    theirs = person(boreale, ContactKind.COMPANY, "Chantiers")
    store.generate(DocumentKind.INVOICE, other, [theirs], None)
    db.session.commit()
    rows = db.session.execute(
        select(InvoiceNumber.organisation_id, InvoiceNumber.contact_id, InvoiceNumber.number).order_by(InvoiceNumber.id)
    )
    assert [tuple(row) for row in rows] == [
        (cassiopee.id, company.id, 1), (cassiopee.id, funder.id, 2), (boreale.id, theirs.id, 1),
    ]  # fmt: skip
    said = sheets.said(DocumentKind.INVOICE, run, company, cassiopee.organisation)
    table = next(block for block in said["blocks"] if block["type"] == "table")
    assert said["heading"].startswith("Facture F20") and said["heading"].endswith("-0001")
    assert [row[-1] for row in table["rows"]] == [
        f"{n}\u00a0€" for n in ("1\u202f380,00", "1\u202f380,00", "0,00", "1\u202f380,00")
    ]
    run.price = None
    with pytest.raises(UserMistake, match="prix"):
        store.generate(DocumentKind.INVOICE, run, [company], None)


def test_a_logo_is_printed_and_a_broken_one_does_no_harm(run: TrainingSession, cassiopee: House) -> None:
    learner, organisation = of(run, ContactKind.LEARNER)[0], cassiopee.organisation

    def made() -> tuple[bytes, str]:
        found = sheets.make(DocumentKind.CERTIFICATE, run, learner, organisation, today=date(2026, 11, 22))
        return found.pdf, found.facts_sha256

    plain, facts = made()
    dot = zlib.compress(b"\0\xff\0\0")
    png = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)), (b"IDAT", dot), (b"IEND", b"")):
        png += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    organisation.logo_sha256 = blobs.store(png, "logo.png").sha256
    db.session.commit()
    with_logo, same = made()
    assert b"/Subtype /Image" in with_logo or b"/Subtype/Image" in with_logo
    assert same == facts, "what it says is the same"
    organisation.logo_sha256 = blobs.store(png[:30], "logo.png").sha256
    db.session.commit()
    assert made() == (plain, facts)
    organisation.logo_sha256 = blobs.store(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "l.svg").sha256
    db.session.commit()
    assert made() == (plain, facts)
    organisation.accent = "#ffff66"
    assert made()[0] != plain and made()[1] == facts


@pytest.mark.parametrize("kind", sheets.made_here())
def test_every_document_is_tagged_and_titled(run: TrainingSession, cassiopee: House, kind: DocumentKind) -> None:
    owner = of(run, kind.kinds[0])[0] if kind.kinds else None
    pdf = sheets.make(kind, run, owner, cassiopee.organisation).pdf
    assert b"/StructTreeRoot" in pdf and b"/MarkInfo" in pdf and b"pdfuaid" in pdf, "PDF/UA"
    assert b"/Lang" in pdf


@pytest.mark.parametrize("kind", sheets.made_here())
def test_nothing_typed_is_read_as_markup(run: TrainingSession, cassiopee: House, kind: DocumentKind) -> None:
    wild = '#panic("x") $x$ @ref \\ <label> *b* `c` "#let" \u202e\0'.replace("\0", "")
    run.title = run.place = run.reference = wild
    for contact in of(run, ContactKind.LEARNER) + of(run, ContactKind.COMPANY):
        contact.name = wild
    run.programme = Programme(organisation_id=cassiopee.id, title=wild, objectives=wild, content=f"- {wild}\n\n{wild}")
    db.session.commit()
    owner = of(run, kind.kinds[0])[0] if kind.kinds else None
    made = sheets.make(kind, run, owner, cassiopee.organisation)
    assert made.pdf.startswith(b"%PDF") and "/" not in made.filename and "#" not in made.filename


@given(each=st.decimals(0, 1_000_000, places=2), number=st.integers(0, 500), rate=st.decimals(0, 99, places=2))
def test_a_bill_adds_up(each: Decimal, number: int, rate: Decimal) -> None:
    due = Bill(each, number, rate)
    assert due.net + due.vat == due.gross and due.net == each * number
    assert abs(due.vat - due.net * rate / 100) <= Decimal("0.005")
    assert all(amount == amount.quantize(Decimal("0.01")) for amount in (due.net, due.vat, due.gross))
