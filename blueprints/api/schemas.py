"""The shapes of e-mails: what is asked of them, what is said of them. Names are those of the history's exports."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

from blueprints.api.fields import (
    FILLED_LINE,
    LINE,
    TEXT,
    Answer,
    Moment,
    PageShape,
    Query,
    Request,
    contact_id,
    no_default,
    optional,
    session_id,
)
from blueprints.patterns import BASE64, FILE_NAME, MOMENT, TYPE, FileName
from history.export_cells import NAMES, Format
from history.filters import LIMITS, LONGEST_TEXT
from history.periods import DateField, Period, read_day
from i18n import LANGUAGES
from mail.compose import LONGEST_SUBJECT
from mail.preface import LONGEST as LONGEST_PREFACE
from mail.resend import Mode
from models.words import EventKind, Reason, Status, StatusGroup

MOST_RECIPIENTS = 10_000
LONGEST_BODY = 2_000_000

StatusCode = Literal[tuple(str(s.value) for s in Status)]  # type: ignore[valid-type]
StatusOrGroup = Literal[tuple(str(s.value) for s in (*Status, *StatusGroup))]  # type: ignore[valid-type]
ReasonCode = Literal[tuple(str(r.value) for r in Reason)]  # type: ignore[valid-type]
ColumnName = Literal[NAMES]  # type: ignore[valid-type]
KindOfEvent = Literal[tuple(str(k.value) for k in EventKind)]  # type: ignore[valid-type]
TypeCode = Annotated[str, StringConstraints(pattern=TYPE)]


_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _whole(text: Any) -> Any:
    if isinstance(text, str) and not (text.isascii() and text.isdigit() and len(text) < 7):
        raise ValueError("Input should be a whole number")
    return int(text) if isinstance(text, float) and text.is_integer() else text  # 25.0 is an integer in JSON


def _day(text: Any) -> Any:
    if isinstance(text, str) and "/" in text:  # as the page has it: 22/11/2026
        return read_day(text)
    if isinstance(text, str):
        if not _ISO_DAY.fullmatch(text):
            raise ValueError("Input should be a date such as 2026-11-22")
        return date.fromisoformat(text)
    return text


Day = Annotated[date, BeforeValidator(_day)]
Limit = Annotated[int, Field(ge=1, le=LIMITS[-1]), BeforeValidator(_whole)]


class EmailQuery(Query):
    """The filters of the history, by the names that the page's address has. All of them narrow."""

    status: list[StatusOrGroup] = Field(
        default=[], description="A status, or waiting, sent_all, error; repeat it for several."
    )
    recipient: str = optional(
        max_length=LONGEST_TEXT, description="Contained in the address or the name, case and accents aside."
    )
    subject: str = optional(max_length=LONGEST_TEXT, description="Words and word beginnings of the subject, any order.")
    type: list[TypeCode] = Field(default=[], description="The e-mail's type; repeat it for several.", max_length=40)
    date_field: Literal[tuple(str(d.value) for d in DateField)] = Field(  # type: ignore[valid-type]
        default="created", description="The date that period, from, to and sort are about."
    )
    period: Literal[tuple(str(p.value) for p in Period)] = optional(  # type: ignore[valid-type]
        description="Days of the organisation's zone; custom: from and to."
    )
    first: Day = optional(alias="from", description="The first day, as 2026-11-22.")
    last: Day = optional(alias="to", description="The last day, included.")
    attachment: Literal["yes", "no"] = optional(description="With or without attachment.")
    session: str = optional(max_length=LONGEST_TEXT, description="A training session's id, or words of its title.")
    contact: str = optional(max_length=LONGEST_TEXT, description="A contact's id, or a part of the name.")
    segment: str = optional(pattern=r"^G-[0-9a-z]{1,20}$", description="A segment's id: e-mails to its contacts.")
    sender: str = optional(max_length=LONGEST_TEXT, description="The address of one of your senders.")
    by: str = optional(max_length=LONGEST_TEXT, description="The address of the user who asked for it.")
    reason: list[ReasonCode] = Field(default=[], description="Why it failed; repeat it for several.")
    operator: str = optional(
        max_length=LONGEST_TEXT, pattern=r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$",
        description="The domain of the recipient's address.",
    )  # fmt: skip
    resent: Literal["yes", "no"] = optional(description="Sent again, or not.")
    treated: Literal["yes", "no"] = optional(description="no: failures that nobody has dealt with.")
    queue: Literal["ready", "sending", "retry", "later"] = optional(
        description="Where it stands in the outbox: to leave, on the line, to be tried again, planned."
    )
    number: str = optional(
        max_length=3000, pattern=r"^E-[0-9a-zA-Z]{1,20}(,E-[0-9a-zA-Z]{1,20})*$",
        description="The e-mails of these ids, with commas between them; 200 at most.",
    )  # fmt: skip
    event: list[TypeCode] = Field(default=[], description="The same as type.", max_length=40)
    learners: Literal["yes"] = optional(description="On a company's own page only; it changes nothing here.")
    sort: Literal["-date", "date"] = Field(default="-date", description="Newest first, or oldest first.")


class EmailPageQuery(EmailQuery):
    """The filters, and which page."""

    cursor: str = optional(max_length=300, description="next_cursor or previous_cursor of another page.")
    limit: Limit = Field(default=50, description="E-mails a page.")


class ExportFilters(EmailQuery):
    """The filters, and which columns in whose language."""

    columns: list[ColumnName] = Field(
        default=[], max_length=len(NAMES),
        description="Which columns, in their order, after id; repeat it for several. None: all of them.",
    )  # fmt: skip
    language: Literal[tuple(LANGUAGES)] = optional(  # type: ignore[valid-type]
        description="Of headings and words in csv-excel and xlsx; without it, that of the token's user."
    )
    limit: Limit = optional(description="Taken from a page's address and not heeded: everything is exported.")
    cursor: str = optional(max_length=300, description="Not heeded: everything is exported.")


class ExportQuery(ExportFilters):
    """The filters, and the format of what is streamed."""

    format: Literal["csv", "csv-excel", "json", "ndjson"] = Field(
        default="csv",
        description="csv is RFC 4180 with field names; csv-excel is what a French Excel opens; ndjson has one object a "
        "line. A workbook cannot be streamed: see POST /exports.",
    )


class JobQuery(ExportFilters):
    """The filters, and the format of the file that a job makes."""

    format: Literal[tuple(str(f.value) for f in Format if f.is_list)] = Field(  # type: ignore[valid-type]
        default="csv", description="As for GET /emails/export, and xlsx, a workbook."
    )


class JobRequest(JobQuery):
    """The same in a body. What stands in the query string too, the body says."""

    may_be_left_out: ClassVar[bool] = True
    model_config = ConfigDict(strict=True)


class Recipient(Request):
    """Whom an e-mail goes to: an address, or a contact (whose address and name are then taken)."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["email"]}, {"required": ["contact"]}]})

    email: str = optional(min_length=3, max_length=254, extra={"format": "email"}, examples=["lea.petit@exemple.fr"])
    name: str = optional(max_length=200, pattern=LINE, examples=["Léa Petit"])
    contact: str = contact_id(default=None, json_schema_extra=no_default, description="A contact's id.")


class InlineFile(Request):
    """An attachment: its bytes in base64 with a name, or the id of an upload."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["content", "filename"], "not": {"required": ["id"]}},
                {"required": ["id"], "not": {"required": ["content"]}},
            ]
        }
    )

    filename: FileName = optional(examples=["programme.pdf"], extra={"pattern": FILE_NAME})
    content: str = optional(
        min_length=4, extra={"pattern": BASE64, "contentEncoding": "base64"}, description="The bytes in base64."
    )
    id: str = optional(min_length=1, max_length=1000, description="What POST /attachments answered.")


_OWN_WORDS = ("subject", "html", "text", "type")


class EmailsRequest(Request):
    """One press of Send: one e-mail for each recipient, with a subject and a body of your own or from a template."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["subject"], "anyOf": [{"required": ["html"]}, {"required": ["text"]}],
                    "not": {"anyOf": [{"required": [name]} for name in ("template", "data", "language")]},
                },
                {"required": ["template"], "not": {"anyOf": [{"required": [name]} for name in _OWN_WORDS]}},
            ]
        }
    )  # fmt: skip

    recipients: list[Recipient] = Field(
        min_length=1, max_length=MOST_RECIPIENTS, description="Each gets an e-mail of their own."
    )
    subject: str = optional(min_length=1, max_length=LONGEST_SUBJECT, pattern=FILLED_LINE, description="One line.")
    html: str = optional(min_length=1, max_length=LONGEST_BODY, pattern=TEXT, description="Frozen as given.")
    text: str = optional(
        min_length=1, max_length=LONGEST_BODY, pattern=TEXT, description="Without it, the words of html."
    )
    type: TypeCode = Field(default="free", description="What the history shows: see GET /types, or a word of your own.")
    template: str = optional(
        pattern=r"^T-[0-9a-z]{1,20}$", examples=["T-4h7k2m9x"],
        description="A template's id, instead of subject, body and type: each recipient gets it filled in for them.",
    )  # fmt: skip
    data: dict[str, Any] = optional(
        description="What the template's tags of a business event say: see docs/merge-tags.md."
    )
    language: Literal["fr", "en"] = optional(
        description="The language for recipients who are no contacts; a contact's own is known. French without it."
    )
    sender: str = optional(
        min_length=3, max_length=254, extra={"format": "email"},
        description="The address of one of your senders; without it, the default one.",
    )  # fmt: skip
    session: str = session_id(
        default=None, json_schema_extra=no_default, description="A training session's id: they stand in its history."
    )
    attachments: list[InlineFile] = Field(default=[], max_length=100, description="25 MB in all.")


class Idempotency(Query):
    """The header that makes a repeated request answer as the first time, and send nothing twice."""

    key: str = optional(
        alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[!-~]+$",
        description="The same key with the same body gives the first answer again; with another body, 409.",
    )  # fmt: skip


class ResendRequest(Request):
    """How to send it again; without anything, an exact copy to the same address at once."""

    may_be_left_out = True
    to: str = optional(
        min_length=3, max_length=254, extra={"format": "email"}, description="A corrected address; else the same."
    )
    mode: Literal[tuple(str(m.value) for m in Mode)] = Field(  # type: ignore[valid-type]
        default=Mode.COPY.value,
        description="copy: the very bytes of the first time. anew: from today's template, record and documents. "
        "link: the attachments replaced by the address of the recipient's own page.",
    )
    preface: str = optional(
        min_length=1,
        max_length=LONGEST_PREFACE,
        pattern=TEXT,
        description="Words above it, shown in a box of their own.",
    )
    send_at: str = optional(
        pattern=MOMENT, examples=["2026-11-23T08:00:00+01:00"],
        description="When it leaves, within a year; a moment gone by, or none, means at once.",
    )  # fmt: skip


class Posted(Answer):
    """An e-mail just asked for."""

    id: str
    status: StatusCode
    reason: ReasonCode | None
    recipient: str
    name: str
    subject: str
    type: str
    contact: str | None
    session: str | None
    created_at: Moment


class PostedEmails(Answer):
    """One item for each recipient, in their order."""

    items: list[Posted]


class UploadQuery(Query):
    """The name of a file that is the body itself."""

    filename: FileName = optional(description="The file's name, for a plain body.", extra={"pattern": FILE_NAME})


class Upload(Answer):
    """A file to attach to e-mails: pass `id` in `attachments` within seven days."""

    id: str
    filename: str
    size: int
    media_type: str


class AttachmentShape(Answer):
    """An attachment; its bytes are at /emails/{id}/attachments/{position}."""

    position: int
    filename: str
    size: int
    media_type: str


class EmailShape(Answer):
    """One e-mail to one recipient."""

    id: str
    recipient: str
    name: str
    subject: str
    type: str
    status: StatusCode
    reason: ReasonCode | None
    chips: list[str] = Field(description="Beside the status: retry, delayed, complaint, not_measured …")
    final: bool = Field(description="Nothing more is expected to change.")
    created_at: Moment
    updated_at: Moment
    sent_at: Moment | None
    next_attempt_at: Moment | None
    attempt_count: int | None = Field(description="Tries made so far; null when nothing is left to send.")
    contact: str | None
    contact_name: str | None
    session: str | None
    session_title: str | None
    attachment_count: int
    attachments: list[AttachmentShape]
    sender: str
    requested_by: str | None
    is_resend: bool


class EmailPage(PageShape):
    """A page of e-mails."""

    items: list[EmailShape]


class Event(Answer):
    """One thing that happened to an e-mail, with the server's own words where there are any."""

    kind: KindOfEvent
    source: str = Field(description="smtp, dsn, webhook:NAME, poll:NAME, pixel, link, user or reaper")
    occurred_at: Moment
    reason: ReasonCode | None
    attempt: int | None
    smtp_code: int | None
    enhanced_code: str | None
    diagnostic: str | None
    remote_host: str | None
    data: dict[str, Any]


class RelativeShape(Answer):
    """An e-mail of the same family of resends."""

    id: str
    recipient: str
    status: StatusCode
    created_at: Moment


class EmailDetail(EmailShape):
    """One e-mail with all that happened to it."""

    events: list[Event]
    resend_of: RelativeShape | None
    resends: list[RelativeShape]
    size: int | None = Field(description="Bytes of the whole message.")
    sha256: str | None = Field(description="Of the whole message: that of GET /emails/{id}/source.")
    content_erased_at: Moment | None = Field(
        description="Since when the rule of retention has left only the fingerprints of words and files."
    )
