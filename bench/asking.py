"""What bench.history asks: every filter alone, the pairs the page offers, and the thirty questions of the fixed list.

A question has a name, variants (query strings asked in turn, so that not one page alone is warm) and the target of
its kind: how many times as long as in the table of ten thousand it may take.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from bench.filling import RARE_REASON, RARE_TYPE
from models.words import Status, StatusGroup

# 10 M ÷ 10 k: equality, dates, their pairs; exact addresses and whole words; parts of three letters or more. What is
# under three letters has no ratio of its own: it never scans.
FLAT, WORD, PART, SHORT = 1.2, 3.0, 6.0, 50.0
PERIODS = ("day", "week", "month", "rolling_month", "rolling_30", "year")


@dataclass(frozen=True)
class Asked:
    """`fixed`: one of the thirty of which the worst is printed."""

    name: str
    variants: tuple[str, ...]
    target: float
    fixed: bool = False


def sample(connection: psycopg.Connection) -> dict[str, list[str]]:
    """Ids and words that the table of organisation 1 holds, evenly spread, in columns."""
    row = connection.execute(
        """SELECT
        (SELECT array_agg(public_id) FROM (SELECT public_id FROM training_session WHERE organisation_id = 1
           ORDER BY hashint8(id) LIMIT 20) x),
        (SELECT array_agg(public_id) FROM (SELECT public_id FROM contact WHERE organisation_id = 1 AND id > 20
           ORDER BY hashint8(id) LIMIT 20) x),
        (SELECT array_agg(email) FROM (SELECT email FROM contact WHERE organisation_id = 1 AND id > 20
           ORDER BY hashint8(id) LIMIT 20) x),
        (SELECT array_agg(number) FROM (SELECT right(subject, 7) AS number FROM email WHERE organisation_id = 1
           AND type = 'invoice' AND id > (SELECT max(id) / 2 FROM email) ORDER BY id LIMIT 20) x),
        (SELECT array_agg(name) FROM (SELECT name FROM contact WHERE organisation_id = 1
           AND kind <> 'company' AND id > 20 ORDER BY hashint8(id) LIMIT 20) x)"""
    ).fetchone()
    keys = ("session", "contact", "address", "number", "name")
    return {key: list(values or []) for key, values in zip(keys, row or (), strict=True)}


def questions(held: dict[str, list[str]]) -> list[Asked]:
    """All of them, for a table that holds these."""
    return [*_alone(held), *_words(held), *_pairs(held)]


def _each(name: str, values: list[str], more: str = "") -> tuple[str, ...]:
    return tuple(f"{name}={value.replace(' ', '+')}{more}" for value in values)


def _alone(held: dict[str, list[str]]) -> Iterator[Asked]:
    yield Asked("no filter", ("",), FLAT, True)
    yield Asked("oldest first", ("sort=date",), FLAT, True)
    for status in Status:
        yield Asked(f"status {status.value}", (f"status={status.value}",), FLAT, status is Status.FAILED)
    for group in StatusGroup:
        yield Asked(f"status {group.value}", (f"status={group.value}",), FLAT, group is StatusGroup.ERROR)
    yield Asked("status two", ("status=failed&status=requested",), FLAT)
    for kind in ("convocation", "invoice", RARE_TYPE):
        yield Asked(f"type {kind}", (f"type={kind}",), FLAT, kind != "invoice")
    yield Asked("type two", ("type=invoice&type=free",), FLAT)
    for by in ("created", "sent", "updated"):
        field = "" if by == "created" else f"date_field={by}&"
        if field:
            yield Asked(f"by {by}", (field[:-1],), FLAT, True)
            yield Asked(f"by {by}, oldest first", (f"{field}sort=date",), FLAT)
        for period in PERIODS:
            yield Asked(f"{by} {period}", (f"{field}period={period}",), FLAT, (by, period) == ("sent", "rolling_30"))
        yield Asked(f"{by} from to", (f"{field}from=2025-03-01&to=2025-03-31",), FLAT)
    yield Asked("session", _each("session", held["session"]), FLAT, True)
    yield Asked("contact", _each("contact", held["contact"]), FLAT, True)
    for place, how in ((1, "most"), (2, "some"), (3, "rare")):
        yield Asked(f"sender {how}", (f"sender=formation{place}@bench.example",), FLAT, how == "rare")
    yield Asked("by", ("by=person3@bench.example",), FLAT)
    yield Asked("by nobody's", ("by=person10@bench.example",), FLAT)
    yield Asked("reason", ("reason=mailbox_full",), FLAT)
    yield Asked("reason rare", (f"reason={RARE_REASON}",), FLAT)
    yield Asked("operator", ("operator=orange.example",), FLAT, True)
    yield Asked("operator few", ("operator=entreprise3.example",), FLAT)
    for name in ("attachment", "resent", "treated"):
        for value in ("yes", "no"):
            yield Asked(f"{name} {value}", (f"{name}={value}",), FLAT, (name, value) == ("treated", "no"))
    for segment in ("chosen", "companies", "learners", "tagged", "lately", "nobody", "few"):
        yield Asked(f"segment {segment}", (f"segment=G-{segment}",), FLAT, segment in ("companies", "few"))


def _words(held: dict[str, list[str]]) -> Iterator[Asked]:
    yield Asked("recipient exact", _each("recipient", held["address"]), WORD, True)
    yield Asked("recipient full name", _each("recipient", held["name"]), PART)
    yield Asked("recipient frequent part", ("recipient=petit", "recipient=martin", "recipient=zoe"), PART, True)
    yield Asked("recipient three letters", ("recipient=pet", "recipient=obi"), PART)
    yield Asked("recipient rare part", ("recipient=entreprise13", "recipient=kowalski1"), PART, True)
    yield Asked("recipient nobody", ("recipient=xyzzy",), PART)
    yield Asked("recipient two letters", ("recipient=ma", "recipient=le"), SHORT, True)
    yield Asked("recipient two, nobody", ("recipient=zz",), SHORT, True)
    yield Asked("client part", ("contact=petit", "contact=haddad"), PART)
    yield Asked("client rare", _each("contact", held["name"]), PART)
    yield Asked("session word", ("session=secouriste",), WORD)
    yield Asked("session rare word", ("session=ref-12",), WORD)
    yield Asked("subject rare number", _each("subject", held["number"]), WORD, True)
    yield Asked("subject frequent word", ("subject=convocation", "subject=facture"), WORD, True)
    yield Asked("subject beginning", ("subject=convoc", "subject=secour"), WORD)
    yield Asked("subject two words", ("subject=certificat+comptabilite", "subject=excel+convocation"), WORD, True)
    yield Asked("subject rare of frequent", ("subject=logiciel",), WORD)
    yield Asked("subject nobody", ("subject=xyzzy",), WORD)
    yield Asked("subject two letters", ("subject=fa",), SHORT)


def _pairs(held: dict[str, list[str]]) -> Iterator[Asked]:
    one = {key: values[:5] for key, values in held.items()}
    flat = {
        "status+type": "status=failed&type=convocation",
        "group+type": "status=error&type=free&type=invoice",
        "status+period": "status=error&period=rolling_30",
        "status+sent": "status=sent&date_field=sent&period=month",
        "status+updated": "status=error&date_field=updated",
        "status rare+updated": "status=uncertain&date_field=updated&period=year",
        "waiting by sending": "status=waiting&date_field=sent",
        "type+attachment": "type=invoice&attachment=yes",
        "type+contradicting attachment": "type=free&attachment=yes",
        "type+period": "type=certificate&period=month",
        "type+sent": "type=certificate&date_field=sent",
        "status+attachment": "status=opened&attachment=no",
        "sender+status": "sender=formation2@bench.example&status=failed",
        "sender rare+status": "sender=formation3@bench.example&status=failed",
        "by+type": "by=person3@bench.example&type=invoice",
        "by+status": "by=person3@bench.example&status=uncertain",
        "reason+period": "reason=spam&period=rolling_30",
        "reason+type": "reason=spam&type=certificate",
        "treated+type": "treated=no&type=invoice",
        "resent+status": "resent=yes&status=failed",
        "segment+status": "segment=G-companies&status=failed",
        "segment+type": "segment=G-chosen&type=free",
        "operator+status": "operator=orange.example&status=failed",
    }
    for name, query in flat.items():
        yield Asked(name, (query,), FLAT, name in ("status+type", "status+updated", "segment+status"))
    yield Asked("session+status", _each("session", one["session"], "&status=failed"), FLAT)
    yield Asked("session+type", _each("session", one["session"], "&type=free"), FLAT)
    yield Asked("contact+status", _each("contact", one["contact"], "&status=error"), FLAT)
    yield Asked("recipient+status", ("recipient=petit&status=failed",), PART, True)
    yield Asked("recipient+type", ("recipient=petit&type=invoice",), PART)
    yield Asked("recipient rare+period", ("recipient=kowalski1&period=year",), PART)
    yield Asked("subject+status", ("subject=convocation&status=uncertain",), PART)
    yield Asked("subject+recipient", ("subject=facture&recipient=petit",), PART, True)
    yield Asked("four", ("status=failed&type=certificate&period=rolling_30&recipient=petit",), PART, True)
