"""What each document of a session says, as blocks that documents/typst/sheet.typ lays out: PURE, no database.

A block is {"type": para | text | heading | facts | boxed | list | table | signatures | grid, …}; the words are
documents.sheet_words', the days and hours documents.dates'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.numbers import format_currency, format_decimal

from documents import dates, sheet_words
from models import Contact, DocumentKind, Module, Organisation, TrainingSession
from models.words import ContactKind

Block = dict[str, Any]
PAYMENT_DAYS = 30
_LOCALES = {"fr": "fr_FR", "en": "en_GB"}
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Roll:
    """Who takes part in a session, by kind; the ids of the modules that a person follows, by the contact's id (absent:
    all of them)."""

    people: dict[ContactKind, list[Contact]] = field(default_factory=dict)
    module_ids: dict[int, list[int]] = field(default_factory=dict)

    def of(self, kind: ContactKind) -> list[Contact]:
        return self.people.get(kind, [])

    def followed(self, training_session: TrainingSession, contact: Contact | None) -> list[Module]:
        """The modules that a person follows, by their start."""
        modules = sorted(training_session.modules, key=lambda module: module.starts_at)
        return dates.chosen(modules, self.module_ids.get(contact.id, ())) if contact is not None else modules

    def staff_of(self, company: Contact | None) -> list[Contact]:
        """The learners sent by a company; all of them for a funder, or where none of them names the company."""
        learners = self.of(ContactKind.LEARNER)
        if company is None or company.kind is not ContactKind.COMPANY:
            return learners
        theirs = [learner for learner in learners if learner.company_id == company.id]
        return theirs if theirs or len(self.of(ContactKind.COMPANY)) > 1 else learners


@dataclass(frozen=True)
class Sheet:
    """One document before it is printed: whose, about what, in which language, dated when. `number` and `issued` are
    an invoice's (empty: a draft)."""

    kind: DocumentKind
    session: TrainingSession
    contact: Contact | None
    organisation: Organisation
    roll: Roll
    language: str
    today: date
    number: str = ""
    issued: date | None = None

    def word(self, key: str, **values: str) -> str:
        return sheet_words.word(key, self.language, **values)

    @property
    def modules(self) -> list[Module]:
        own = self.contact if self.contact and self.contact.kind is ContactKind.LEARNER else None
        return self.roll.followed(self.session, own)

    def hours(self, module: Module) -> str:
        zone, language = self.organisation.timezone, self.language
        return f"{dates.hour(module.starts_at, zone, language)} – {dates.hour(module.ends_at, zone, language)}"

    def day(self, module: Module) -> date:
        return dates.local_day(module.starts_at, self.organisation.timezone)

    def duration(self) -> str:
        programme = self.session.programme
        length = dates.length(self.modules)
        if not length and programme is not None and programme.duration_hours:
            length = timedelta(hours=programme.duration_hours)
        return dates.duration(length, self.language)

    def facts(self) -> list[tuple[str, str]]:
        """The session's own facts: those that are known."""
        first, last = dates.days_of(self.session, self.organisation.timezone, self.modules)
        known = [
            (self.word("reference"), self.session.reference),
            (self.word("dates"), dates.span(first, last, self.language)),
            (self.word("duration"), self.duration()),
            (self.word("place"), self.session.place),
        ]
        return [(name, value) for name, value in known if value]

    def money(self, amount: Decimal) -> str:
        return str(format_currency(amount, "EUR", locale=_LOCALES[self.language]))


@dataclass(frozen=True)
class Bill:
    """What a number of places costs, in euros: `each` and `net` without tax, `vat` at `rate` (in percent), `gross`."""

    each: Decimal
    number: int
    rate: Decimal

    @property
    def net(self) -> Decimal:
        return (self.each * self.number).quantize(_CENT)

    @property
    def vat(self) -> Decimal:
        return (self.net * self.rate / 100).quantize(_CENT, ROUND_HALF_UP)

    @property
    def gross(self) -> Decimal:
        return self.net + self.vat


def bill(sheet: Sheet) -> Bill | None:
    """What the customer pays; None where the session has no price."""
    price = sheet.session.price
    if price is None:
        return None
    return Bill(Decimal(price), len(sheet.roll.staff_of(sheet.contact)), Decimal(sheet.session.vat_rate or 0))


def _schedule(sheet: Sheet) -> list[Block]:
    if not sheet.modules:
        return []
    rows = [
        [dates.long_date(sheet.day(module), sheet.language), sheet.hours(module),
         module.title or sheet.session.title, module.place or sheet.session.place]
        for module in sheet.modules
    ]  # fmt: skip
    head = [sheet.word(key) for key in ("day", "hours", "module", "place")]
    widths = ["auto", "auto", "1fr", "1fr"]
    if len({row[3] for row in rows}) < 2:
        rows, head, widths = [row[:3] for row in rows], head[:3], widths[:3]
    return [_table(head, rows, widths)]


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[str], right: Sequence[int] = (), foot: int = 0
) -> Block:
    """`right` are the columns set to the right, `foot` how many last rows are totals."""
    return {"type": "table", "head": list(head), "rows": [list(row) for row in rows], "widths": list(widths),
            "right": list(right), "foot": foot}  # fmt: skip


def _heading(text: str) -> Block:
    return {"type": "heading", "text": text}


def _para(text: str) -> Block:
    return {"type": "para", "text": text}


def _text(text: str) -> Block:
    """What a person typed: paragraphs, and lists where lines begin with - or •."""
    blocks = text.replace("\r", "").split("\n\n")
    return {"type": "text", "paragraphs": [_lines(block) for block in blocks if block.strip()]}


def _lines(block: str) -> dict[str, list[str]]:
    lines = [line.strip() for line in block.split("\n") if line.strip()]
    items = [line[1:].strip() for line in lines if line[0] in "-•*"]
    return {"lines": [line for line in lines if line[0] not in "-•*"], "items": items}


def _list(items: Sequence[str]) -> Block:
    return {"type": "list", "items": [item for item in items if item]}


def _boxed(sheet: Sheet, *more: tuple[str, str]) -> Block:
    facts = [*sheet.facts(), *more]
    return {"type": "boxed", "title": sheet.session.title, "facts": [(name, value) for name, value in facts if value]}


def _house_signature(sheet: Sheet) -> tuple[str, str]:
    return sheet.word("signature"), sheet.organisation.name


def _signatures(sheet: Sheet, *who: tuple[str, str]) -> Block:
    return {"type": "signatures", "who": list(who), "stamp": sheet.word("stamp")}


def _people(sheet: Sheet, learners: Sequence[Contact]) -> Block:
    if not learners:
        return _para(sheet.word("nobody"))
    companies = any(learner.company for learner in learners)
    rows = [[learner.name, learner.company.name if learner.company else ""] for learner in learners]
    width = 2 if companies else 1
    head = [sheet.word("learner"), sheet.word("company")]
    return _table(head[:width], [row[:width] for row in rows], ["1fr"] * width)


def _programme_parts(sheet: Sheet) -> list[Block]:
    programme = sheet.session.programme
    if programme is None:
        return []
    blocks: list[Block] = []
    for key in ("objectives", "audience", "prerequisites", "content", "methods"):
        if getattr(programme, key).strip():
            blocks += [_heading(sheet.word(key)), _text(getattr(programme, key))]
    return blocks


def convention(sheet: Sheet) -> list[Block]:
    contact, word = sheet.contact, sheet.word
    learners, due = sheet.roll.staff_of(contact), bill(sheet)
    customer = contact.name if contact else ""
    blocks: list[Block] = [
        _para(word("convention.parties", organisation=sheet.organisation.name, customer=customer)),
        _heading(word("convention.object")), _para(word("convention.object_text")), _boxed(sheet),
    ]  # fmt: skip
    if sheet.session.programme and sheet.session.programme.objectives.strip():
        blocks += [_text(sheet.session.programme.objectives)]
    blocks += [_heading(word("convention.schedule")), *(_schedule(sheet) or [_para("–")])]
    blocks += [
        _heading(word("convention.people")), _para(word("convention.people_text", number=str(len(learners)))),
        _people(sheet, learners), _heading(word("convention.price")),
    ]  # fmt: skip
    if due is None:
        blocks.append(_para(word("convention.price_unknown")))
    else:
        key = "convention.price_text" if due.rate else "convention.price_exempt"
        money = {name: sheet.money(getattr(due, name)) for name in ("each", "net", "vat", "gross")}
        blocks.append(_para(word(key, number=str(due.number), **money)))
    blocks += [
        _heading(word("convention.means")), _para(word("convention.means_text")),
        _heading(word("convention.end")), _para(word("convention.end_text")),
        _signatures(sheet, _house_signature(sheet), (word("signature_customer"), customer)),
    ]  # fmt: skip
    return blocks


def programme(sheet: Sheet) -> list[Block]:
    blocks = [_boxed(sheet), *_programme_parts(sheet)]
    if schedule := _schedule(sheet):
        blocks += [_heading(sheet.word("schedule")), *schedule]
    trainers = [trainer.name for trainer in sheet.roll.of(ContactKind.TRAINER)]
    if trainers:
        blocks += [_heading(sheet.word("trainers")), _list(trainers)]
    return [*blocks, _heading(sheet.word("programme.access")), _para(sheet.word("programme.access_text"))]


def rules(sheet: Sheet) -> list[Block]:
    blocks: list[Block] = [_para(sheet.word("rules.intro", title=sheet.session.title))]
    for part in ("safety", "discipline"):
        blocks += [_heading(sheet.word(f"rules.{part}")), _list(sheet.word(f"rules.{part}_text").split("\n"))]
    for part in ("sanctions", "delegates"):
        blocks += [_heading(sheet.word(f"rules.{part}")), _para(sheet.word(f"rules.{part}_text"))]
    return [*blocks, _signatures(sheet, _house_signature(sheet))]


def welcome_booklet(sheet: Sheet) -> list[Block]:
    word, organisation = sheet.word, sheet.organisation
    blocks: list[Block] = [_para(word("welcome.intro", title=sheet.session.title)), _boxed(sheet)]
    if schedule := _schedule(sheet):
        blocks += [_heading(word("schedule")), *schedule]
    trainers = [trainer.name for trainer in sheet.roll.of(ContactKind.TRAINER)]
    if trainers:
        blocks += [_heading(word("welcome.team")), _list(trainers)]
    blocks += [
        _heading(word("welcome.practical")),
        _list([
            word("welcome.arrive"), word("welcome.sheet"),
            word("welcome.call", phone=organisation.phone) if organisation.phone else "",
            word("welcome.rules"), word("welcome.evaluation"),
        ]),
        _heading(word("programme.access")), _para(word("programme.access_text")),
        _heading(word("welcome.us")),
        _para(", ".join([organisation.name, *(line for line in organisation.address.splitlines() if line.strip())])),
    ]  # fmt: skip
    return blocks


def attendance_sheet(sheet: Sheet) -> list[Block]:
    """One table a day: a line a person, a cell to sign for each stretch of it."""
    blocks: list[Block] = [_boxed(sheet)]
    people = [(learner.name, learner) for learner in sheet.roll.of(ContactKind.LEARNER)]
    role = sheet.word("trainer").lower()
    trainers = [(f"{trainer.name} ({role})", None) for trainer in sheet.roll.of(ContactKind.TRAINER)]
    days: dict[date, list[Module]] = {}
    for module in sheet.modules:
        days.setdefault(sheet.day(module), []).append(module)
    for day, modules in days.items():
        cells = [half for module in modules for half in _halves(sheet, module)]
        head = [sheet.word("learner"), *(f"{name}\n{hours}" for name, hours, _module in cells)]
        rows = [
            [name, *("" if learner is None or module in sheet.roll.followed(sheet.session, learner) else "—"
                     for _n, _h, module in cells)]
            for name, learner in [*people, *trainers]
        ]  # fmt: skip
        blocks += [
            _heading(dates.long_date(day, sheet.language)),
            {"type": "grid", "head": head, "rows": rows, "sign": sheet.word("attendance.sign")},
        ]
    return [*blocks, _para(sheet.word("attendance.note")), _signatures(sheet, _house_signature(sheet))]


def _halves(sheet: Sheet, module: Module) -> list[tuple[str, str, Module]]:
    """The half-days of a module: one that crosses 13:00 by more than an hour on either side is signed twice."""
    zone = ZoneInfo(sheet.organisation.timezone)
    start, end = module.starts_at.astimezone(zone), module.ends_at.astimezone(zone)
    noon = start.replace(hour=13, minute=0, second=0, microsecond=0)
    hours = sheet.hours(module)
    morning, afternoon = sheet.word("attendance.half"), sheet.word("attendance.half_pm")
    if noon - start > timedelta(hours=1) and end - noon > timedelta(hours=1):
        return [(morning, hours, module), (afternoon, hours, module)]
    return [(morning if start < noon else afternoon, hours, module)]


def _of_company(sheet: Sheet) -> str:
    company = sheet.contact.company if sheet.contact else None
    return sheet.word("certificate.of_company", company=company.name) if company else ""


def certificate(sheet: Sheet) -> list[Block]:
    word = sheet.word
    name = sheet.contact.name if sheet.contact else ""
    return [
        _para(word("certificate.text", organisation=sheet.organisation.name, name=name, company=_of_company(sheet))),
        _boxed(sheet, (word("certificate.nature"), word("certificate.training"))),
        _para(word("certificate.keep")),
        _signatures(sheet, _house_signature(sheet)),
    ]


def attendance_certificate(sheet: Sheet) -> list[Block]:
    name = sheet.contact.name if sheet.contact else ""
    text = sheet.word("assiduity.text", organisation=sheet.organisation.name, name=name, company=_of_company(sheet))
    rows = [
        [dates.long_date(sheet.day(m), sheet.language), sheet.hours(m), m.title or sheet.session.title,
         dates.duration(m.ends_at - m.starts_at, sheet.language)]
        for m in sheet.modules
    ]  # fmt: skip
    head = [sheet.word(key) for key in ("day", "hours", "module", "duration")]
    blocks: list[Block] = [_para(text), _boxed(sheet)]
    if rows:
        rows.append([sheet.word("total"), "", "", sheet.duration()])
        blocks.append(_table(head, rows, ["auto", "auto", "1fr", "auto"], right=[3], foot=1))
    return [*blocks, _signatures(sheet, _house_signature(sheet))]


def invoice(sheet: Sheet) -> list[Block]:
    """Empty where the session has no price: documents.store refuses to make it then."""
    due, word = bill(sheet), sheet.word
    if due is None:
        return []
    issued = sheet.issued or sheet.today
    until = issued + timedelta(days=PAYMENT_DAYS)
    quantity = str(format_decimal(due.number, locale=_LOCALES[sheet.language]))
    percent = "\u00a0%" if sheet.language == "fr" else "%"
    rate = str(format_decimal(due.rate, locale=_LOCALES[sheet.language])) + percent
    rows = [
        [sheet.session.title, quantity, sheet.money(due.each), sheet.money(due.net)],
        [word("invoice.net"), "", "", sheet.money(due.net)],
        [word("invoice.vat", rate=rate), "", "", sheet.money(due.vat)],
        [word("invoice.gross"), "", "", sheet.money(due.gross)],
    ]
    names = ", ".join(learner.name for learner in sheet.roll.staff_of(sheet.contact))
    facts = [(word("invoice.issued"), dates.plain_date(issued, sheet.language)),
             (word("invoice.due"), dates.plain_date(until, sheet.language))]  # fmt: skip
    head = [word(f"invoice.{key}") for key in ("what", "number", "each", "amount")]
    return [
        {"type": "facts", "facts": facts}, _boxed(sheet, (word("learners"), names)),
        _table(head, rows, ["1fr", "auto", "auto", "auto"], right=[1, 2, 3], foot=3),
        *([] if due.rate else [_para(word("invoice.exempt"))]), _para(word("invoice.late")),
    ]  # fmt: skip


PAGES: dict[DocumentKind, Callable[[Sheet], list[Block]]] = {
    DocumentKind.CONVENTION: convention,
    DocumentKind.PROGRAMME: programme,
    DocumentKind.RULES: rules,
    DocumentKind.WELCOME_BOOKLET: welcome_booklet,
    DocumentKind.ATTENDANCE_SHEET: attendance_sheet,
    DocumentKind.CERTIFICATE: certificate,
    DocumentKind.ATTENDANCE_CERTIFICATE: attendance_certificate,
    DocumentKind.INVOICE: invoice,
}
HEADINGS = {
    DocumentKind.CONVENTION: "convention.heading", DocumentKind.PROGRAMME: "programme.heading",
    DocumentKind.RULES: "rules.heading", DocumentKind.WELCOME_BOOKLET: "welcome.heading",
    DocumentKind.ATTENDANCE_SHEET: "attendance.heading", DocumentKind.CERTIFICATE: "certificate.heading",
    DocumentKind.ATTENDANCE_CERTIFICATE: "assiduity.heading", DocumentKind.INVOICE: "invoice.draft",
}  # fmt: skip
