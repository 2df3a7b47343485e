"""HistoryFilter: what a reader of the history asked for, as a value.

Query string ⇄ value: from_query never raises (unknown values are dropped), to_query is canonical (defaults and blanks
dropped, one spelling for one question), and from_query(to_query(f)) == f. The same string drives the table, the count,
the exports and the API. Its SQL is history.columns', its words on screen history.sentences', its form history.form's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from history.periods import DateField, Days, Period, days, read_day
from models.standing import QUEUED
from models.words import Reason, Status, StatusGroup

LIMITS = (25, 50, 100, 200)
DEFAULT_LIMIT = 50
LONGEST_TEXT = 200
MOST_VALUES = 40
MOST_NUMBERS = LIMITS[-1]  # a page's worth; an address holds no more
_TYPE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_THREE = re.compile(r"[^\W_]{3}")
_QUEUED = tuple(one.value for one in QUEUED)
_SESSION_ID, _CONTACT_ID = re.compile(r"S-[0-9a-z]{1,20}"), re.compile(r"C-[0-9a-z]{1,20}")
_EMAIL_ID = re.compile(r"E-[0-9a-zA-Z]{1,20}")
_SEGMENT_ID = re.compile(r"G-[0-9a-z]{1,20}")
_DOMAIN = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
REPEATABLE = ("status", "type", "reason")

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class HistoryFilter:
    """One question to the history. Build it with from_query or `with_`; the fields are then in canonical form.

    `status` holds codes of Status and StatusGroup; `session` and `contact` a public id or words of the name;
    `attachment`, `resent` and `treated` are yes, no or empty; `segment` is a public id, `sender` and `by` addresses (of
    the sender, of the user who asked), `operator` the recipient's domain in ASCII; `queue` says where it stands in the
    outbox (QUEUED); `number` holds public ids of e-mails; `sort` is -date (newest first) or date, by the date that
    `date_field` names.
    """

    status: tuple[str, ...] = ()
    recipient: str = ""
    subject: str = ""
    type: tuple[str, ...] = ()
    date_field: DateField = DateField.CREATED
    period: Period | None = None
    first: date | None = None  # the query's `from`
    last: date | None = None  # the query's `to`
    attachment: str = ""
    session: str = ""
    contact: str = ""
    segment: str = ""
    sender: str = ""
    by: str = ""
    reason: tuple[str, ...] = ()
    operator: str = ""
    resent: str = ""
    treated: str = ""
    queue: str = ""
    number: tuple[str, ...] = ()
    learners: bool = False  # on a company's record: its learners' e-mails too
    sort: str = "-date"
    cursor: str = ""
    limit: int = DEFAULT_LIMIT

    @classmethod
    def from_query(cls, query: MultiDict[str, str] | Iterable[tuple[str, str]]) -> Self:
        """The filter that a query string asks for; nonsense is dropped, never an error."""
        args = query if isinstance(query, MultiDict) else MultiDict(list(query))
        period, first, last = _period(args)
        return cls(
            status=_statuses(args.getlist("status")),
            recipient=_text(args.get("recipient", "")),
            subject=_text(args.get("subject", "")),
            type=_types([*args.getlist("type"), *args.getlist("event")]),  # an event is the type it makes
            date_field=_member(DateField, args.get("date_field", "")) or DateField.CREATED,
            period=period,
            first=first,
            last=last,
            attachment=_one_of(args.get("attachment", ""), ("yes", "no")),
            session=_text(args.get("session", "")),
            contact=_text(args.get("contact", "")),
            segment=_matching(_SEGMENT_ID, args.get("segment", "").strip()),
            sender=_text(args.get("sender", "")).lower(),
            by=_text(args.get("by", "")).lower(),
            reason=_reasons(args.getlist("reason")),
            operator=_domain(args.get("operator", "")),
            resent=_one_of(args.get("resent", ""), ("yes", "no")),
            treated=_one_of(args.get("treated", ""), ("yes", "no")),
            queue=_one_of(args.get("queue", ""), _QUEUED),
            number=_numbers(args.getlist("number")),
            learners=args.get("learners", "") == "yes",
            sort=_one_of(args.get("sort", ""), ("date",)) or "-date",
            cursor=args.get("cursor", "").strip()[:300].replace("\0", ""),
            limit=_limit(args.get("limit", "")),
        )

    def to_query(self) -> Pairs:
        """The canonical pairs: fixed order, no defaults, no blanks."""
        pairs: Pairs = [("status", code) for code in self.status]
        pairs += [("recipient", self.recipient), ("subject", self.subject)]
        pairs += [("type", code) for code in self.type]
        pairs += [
            ("date_field", "" if self.date_field is DateField.CREATED else self.date_field.value),
            ("period", self.period.value if self.period else ""),
            ("from", self.first.isoformat() if self.first else ""),
            ("to", self.last.isoformat() if self.last else ""),
            ("attachment", self.attachment),
            ("session", self.session),
            ("contact", self.contact),
            ("segment", self.segment),
            ("sender", self.sender),
            ("by", self.by),
            *(("reason", code) for code in self.reason),
            ("operator", self.operator),
            ("resent", self.resent),
            ("treated", self.treated),
            ("queue", self.queue),
            ("number", ",".join(self.number)),
            ("learners", "yes" if self.learners else ""),
            ("sort", "" if self.sort == "-date" else self.sort),
            ("limit", "" if self.limit == DEFAULT_LIMIT else str(self.limit)),
            ("cursor", self.cursor),
        ]
        return [(key, value) for key, value in pairs if value]

    def address(self, path: str, **changes: Any) -> str:
        """`path` with the canonical query of this filter (after `changes`)."""
        query = urlencode((self.with_(**changes) if changes else self).to_query())
        return f"{path}?{query}" if query else path

    def with_(self, **changes: Any) -> Self:
        """The same question with other values. Any change but the cursor's goes back to the first page."""
        changes.setdefault("cursor", "")
        if not changes.keys() <= vars(self).keys():
            raise TypeError(f"no such field: {', '.join(changes.keys() - vars(self).keys())}")
        made = object.__new__(type(self))  # as dataclasses.replace would, which takes three times as long: pages
        vars(made).update(vars(self) | changes)  # make twenty addresses
        return made

    def of_numbers(self, numbers: Iterable[str]) -> Self:
        """The e-mails of those numbers in the same order, whatever else was asked."""
        return type(self)(
            number=_numbers(list(numbers)), sort=self.sort, date_field=self.date_field, learners=self.learners
        )

    def without(self, field: str, value: str | None = None) -> Self:
        """The question without one of its conditions (of a repeatable one: without that value)."""
        if field in REPEATABLE and value is not None:
            return self.with_(**{field: tuple(v for v in getattr(self, field) if v != value)})
        if field == "period":
            return self.with_(period=None, first=None, last=None)
        return self.with_(**{field: HistoryFilter.__dataclass_fields__[field].default})

    @property
    def statuses(self) -> tuple[Status, ...]:
        """The statuses asked for, groups opened, in the vocabulary's order; all of them or none: empty."""
        asked: set[Status] = set()
        for code in self.status:
            group = _member(StatusGroup, code)
            asked.update(group.statuses if group else (Status(code),))
        return () if len(asked) == len(Status) else tuple(s for s in Status if s in asked)

    @property
    def newest_first(self) -> bool:
        return self.sort == "-date"

    @property
    def narrowed(self) -> bool:
        """Whether anything is filtered out (order, page and size do not count)."""
        return self.with_(date_field=DateField.CREATED, sort="-date", limit=DEFAULT_LIMIT) != HistoryFilter()

    def days(self, now: datetime, zone: str) -> Days:
        """The days of the period as of `now`, in `zone`."""
        return days(self.period, now, zone, self.first, self.last) if self.period else Days(None, None)

    @property
    def session_id(self) -> str:
        """The public id in `session`, empty when it holds words."""
        return self.session if _SESSION_ID.fullmatch(self.session) else ""

    @property
    def contact_id(self) -> str:
        """The public id in `contact`, empty when it holds words."""
        return self.contact if _CONTACT_ID.fullmatch(self.contact) else ""


def is_short(part: str) -> bool:
    """No three letters or digits in a row: only word beginnings are looked at, for an index needs three."""
    return not _THREE.search(part)


def _text(raw: str) -> str:
    """One line of at most LONGEST_TEXT characters; empty when it holds neither letter nor digit."""
    if not raw:
        return ""
    text = " ".join(raw.replace("\0", " ").encode("utf-8", "ignore").decode().split())[:LONGEST_TEXT].strip()
    return text if any(c.isalnum() for c in text) else ""


def _one_of(raw: str, known: tuple[str, ...]) -> str:
    return raw if raw in known else ""


def _matching(pattern: re.Pattern[str], raw: str) -> str:
    return raw if pattern.fullmatch(raw) else ""


def _domain(raw: str) -> str:
    """The domain as addresses keep it, lower-case ASCII: what follows the @, Élan.example → xn--lan-9la.example."""
    if not raw:
        return ""
    text = _text(raw).lower().rpartition("@")[2].strip(".")
    try:
        text = text.encode("idna").decode()
    except UnicodeError:
        return ""
    return _matching(_DOMAIN, text.lower())


def _member(words: Any, raw: str) -> Any:
    return words(raw) if raw in words._value2member_map_ else None


def _statuses(raw: list[str]) -> tuple[str, ...]:
    """Known codes, groups first; a status that its group already holds is dropped."""
    if not raw:
        return ()
    groups = [group for group in StatusGroup if group.value in raw]
    held = {status for group in groups for status in group.statuses}
    return (*(g.value for g in groups), *(s.value for s in Status if s.value in raw and s not in held))


def _reasons(raw: list[str]) -> tuple[str, ...]:
    return tuple(reason.value for reason in Reason if reason.value in raw) if raw else ()


def _types(raw: list[str]) -> tuple[str, ...]:
    return tuple(sorted({code for code in raw if _TYPE.fullmatch(code)})[:MOST_VALUES])


def _numbers(raw: list[str]) -> tuple[str, ...]:
    """Public ids, repeated or with commas between them; of too many the first ones."""
    listed = (number for text in raw for number in text.split(","))
    return tuple(sorted(dict.fromkeys(n for n in listed if _EMAIL_ID.fullmatch(n)))[:MOST_NUMBERS])


def _limit(raw: str) -> int:
    """1 to LIMITS' last; what is no such number is the default."""
    if not (raw.isascii() and raw.isdigit() and len(raw) < 7 and int(raw)):
        return DEFAULT_LIMIT
    return min(int(raw), LIMITS[-1])


def _period(args: MultiDict[str, str]) -> tuple[Period | None, date | None, date | None]:
    """Dates count where the period is `custom` or not said; without dates, `custom` says nothing."""
    period = _member(Period, args.get("period", ""))
    if period not in (None, Period.CUSTOM):
        return period, None, None
    first, last = read_day(args.get("from", "")), read_day(args.get("to", ""))
    if first and last and first > last:
        first, last = last, first
    return (Period.CUSTOM, first, last) if first or last else (None, None, None)
