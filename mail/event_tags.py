"""What a business event's JSON says in merge tags: one list, where each comes from and how it is written.

Events are a program's: a field that is missing, or is not what it should be, is blank, never an error; an address
that is not http(s) is blank too, for it becomes a link.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import NumberFormatError, format_currency

from documents import dates
from mail.tag_list import EVENT_TAGS

_LONGEST = 300
_LOCALES = {"fr": "fr_FR", "en": "en_GB"}
_CURRENCY = re.compile(r"[A-Z]{3}")
_WEB = re.compile(r"https?://[^\s<>\"'\\^`{|}\x00-\x20]{1,2000}")
_MONTH = re.compile(r"(\d{4})-(\d{2})")


def address(value: Any) -> str:
    """The web address, if it is one; what a link may lead to."""
    return value if isinstance(value, str) and _WEB.fullmatch(value) else ""


def _text(value: Any, language: str, zone: str, around: Mapping[str, Any]) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    printed = "".join(char if char.isprintable() else " " for char in str(value)[: 2 * _LONGEST])
    return " ".join(printed.split())[:_LONGEST]


def _link(value: Any, language: str, zone: str, around: Mapping[str, Any]) -> str:
    return address(value)


def _day(value: Any, language: str, zone: str, around: Mapping[str, Any]) -> str:
    try:
        if not isinstance(value, str):
            return ""
        if len(value) <= 10:
            return dates.plain_date(date.fromisoformat(value), language)
        moment = datetime.fromisoformat(value)
        local = moment.astimezone(ZoneInfo(zone)) if moment.tzinfo else moment
        return dates.plain_date(local.date(), language)
    except (ValueError, OverflowError):
        return ""


def _month(value: Any, language: str, zone: str, around: Mapping[str, Any]) -> str:
    found = _MONTH.match(value) if isinstance(value, str) else None
    if not found or not 1 <= int(found[2]) <= 12:
        return ""
    first = date(int(found[1]) or 1, int(found[2]), 1)
    return format_date(first, "MMMM y", locale=_LOCALES.get(language, "fr_FR"))


def _money(value: Any, language: str, zone: str, around: Mapping[str, Any]) -> str:
    """`1 200,00 €`, from a number of whole units (1200, "1200.00") and the object's own `currency` (EUR without)."""
    currency = around.get("currency", "EUR")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency.upper()):
        return ""
    try:
        amount = float(value)
        if not abs(amount) < 1e12:  # NaN as well
            return ""
        return format_currency(amount, currency.upper(), locale=_LOCALES.get(language, "fr_FR"))
    except (ValueError, NumberFormatError):
        return ""


_Write = Callable[[Any, str, str, Mapping[str, Any]], str]
# tag → (object, field, how it is written); the object's field may also stand flat: invoice.number or invoice_number
FIELDS: Mapping[str, tuple[str, str, _Write]] = {
    "evenement.date": ("", "occurred_at", _day),
    "client.reference": ("customer", "reference", _text),
    "facture.numero": ("invoice", "number", _text),
    "facture.date": ("invoice", "issued_on", _day),
    "facture.montant": ("invoice", "amount", _money),
    "facture.reste": ("invoice", "amount_due", _money),
    "facture.echeance": ("invoice", "due_on", _day),
    "facture.lien": ("invoice", "url", _link),
    "paiement.date": ("payment", "date", _day),
    "paiement.motif": ("payment", "reason", _text),
    "paiement.prochain": ("payment", "next_attempt_on", _day),
    "paiement.lien": ("payment", "url", _link),
    "litige.motif": ("dispute", "reason", _text),
    "avoir.numero": ("credit_note", "number", _text),
    "avoir.date": ("credit_note", "issued_on", _day),
    "avoir.montant": ("credit_note", "amount", _money),
    "carte.marque": ("card", "brand", _text),
    "carte.numero": ("card", "last4", _text),
    "carte.fin": ("card", "expires", _month),
    "moyen.nom": ("payment_method", "name", _text),
    "moyen.lien": ("payment_method", "url", _link),
    "abonnement.nom": ("subscription", "name", _text),
    "abonnement.reference": ("subscription", "reference", _text),
    "abonnement.fin": ("subscription", "ends_on", _day),
}
# An event such as programs post, for previews and test sends.
EXAMPLE: Mapping[str, Any] = {
    "occurred_at": "2026-11-20T08:15:00Z",
    "customer": {"reference": "CLI-1042"},
    "invoice": {
        "number": "F-2026-0142", "issued_on": "2026-11-20", "amount": 1200, "amount_due": 1200, "currency": "EUR",
        "due_on": "2026-12-20", "url": "https://facturation.example/F-2026-0142",
    },
    "payment": {
        "date": "2026-11-20", "reason": "Provision insuffisante", "next_attempt_on": "2026-11-27",
        "url": "https://facturation.example/payer/F-2026-0142",
    },
    "dispute": {"reason": "Prestation contestée"},
    "credit_note": {"number": "A-2026-0017", "issued_on": "2026-11-20", "amount": 300, "currency": "EUR"},
    "card": {"brand": "Visa", "last4": "4242", "expires": "2026-11"},
    "payment_method": {"name": "Visa •••• 4242", "url": "https://facturation.example/moyen-de-paiement"},
    "subscription": {"name": "Équipe", "reference": "ABO-311", "ends_on": "2026-12-31"},
}  # fmt: skip


def values(
    data: Mapping[str, Any] | None, groups: Collection[str], language: str, zone: str
) -> dict[str, dict[str, str]]:
    """{"facture": {"numero": …}, …}: each tag of the groups, blank where the event says nothing of it."""
    said: dict[str, dict[str, str]] = {}
    for tag in EVENT_TAGS:
        if tag.group not in groups:
            continue
        owner, key, write = FIELDS[tag.name]
        around = (data or {}).get(owner) if owner else data
        around = around if isinstance(around, Mapping) else {}
        value = around.get(key)
        if value is None and owner and data:
            value, around = data.get(f"{owner}_{key}"), around or data
        said.setdefault(tag.group, {})[tag.name.partition(".")[2]] = write(value, language, zone, around)
    return said
