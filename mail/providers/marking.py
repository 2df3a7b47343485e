"""The headers by which a provider's events lead back to an e-mail, put into it when it is frozen.

What they carry is the token of its Message-ID: no more than anybody who gets the e-mail reads there anyway.
"""

from __future__ import annotations

from collections.abc import Iterable

from mail import tokens
from mail.providers import PROVIDERS

# For mail.outbox.post's statement: the organisation's providers, and the host of its sender's account.
ASKED = """(SELECT array_agg(DISTINCT provider) FROM provider_account WHERE organisation_id = :o AND active),
  (SELECT host FROM smtp_account WHERE organisation_id = :o AND id = :account)"""
# Every name that may be among them, in lower case: a resend takes the first letter's away.
NAMES = frozenset(name.lower() for module in PROVIDERS.values() for name in module.marking(""))


def chosen(providers: Iterable[str] | None, host: str) -> tuple[str, ...]:
    """Those of the organisation's providers whose headers an e-mail gets that leaves by `host`: that provider's own,
    or all of them where the host says nothing (a relay, one's own Postal)."""
    known = sorted(name for name in providers or () if name in PROVIDERS)
    own = tuple(name for name in known if _runs(name, host.lower()))
    return own or tuple(known)


def _runs(name: str, host: str) -> bool:
    return any(host == one or (one.startswith(".") and host.endswith(one)) for one in PROVIDERS[name].SMTP_HOSTS)


def headers(providers: Iterable[str], email_id: int) -> tuple[tuple[str, str], ...]:
    """The headers for an e-mail."""
    token = tokens.token("mid", email_id)
    return tuple(pair for name in providers for pair in PROVIDERS[name].marking(token).items())
