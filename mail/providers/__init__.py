"""Providers that send for us and tell what became of it: one file each, this list, and what is the same for all.

A provider's module offers NAME, LABEL, SMTP_HOSTS, KEY (its signing secret, None where it signs nothing),
POLL_KEY (likewise for its API), STEPS (what to click there), verify(call, secret, now), parse(call), marking(token);
where there is one: poll(…), trial(…) and sign(…) for a call of our own, CONTENT_TYPES, PUBLIC_KEY,
ASKS_WHERE, judge_key, WEBHOOK = False.
"""

from __future__ import annotations

import secrets
from types import ModuleType

from mail.providers import (
    amazon_ses,
    brevo,
    mailersend,
    mailgun,
    mailjet,
    mandrill,
    postal,
    postmark,
    proof,
    resend,
    scaleway,
    sendgrid,
    sparkpost,
)
from mail.providers.event import Secret

# In the order they are offered in: French houses first, then by how much they are used.
PROVIDERS: dict[str, ModuleType] = {
    module.NAME: module
    for module in (
        brevo, mailjet, scaleway, mailgun, postmark, amazon_ses, sendgrid, resend, mailersend, sparkpost, mandrill,
        postal,
    )
}  # fmt: skip

_JSON = ("application/json",)


def content_types(provider: ModuleType) -> tuple[str, ...]:
    """The media types its calls may have."""
    return getattr(provider, "CONTENT_TYPES", _JSON)


def tells(provider: ModuleType) -> bool:
    """Whether it calls us."""
    return getattr(provider, "WEBHOOK", True)


def signs(provider: ModuleType) -> bool:
    """Whether its calls are signed; else a user and a password prove them."""
    return provider.KEY is not None


def nobodys(provider: ModuleType) -> Secret:
    """A secret that nobody knows, of the provider's kind: what a call for an unknown account is held against, so that
    it takes as long to refuse as any other."""
    if not signs(provider):
        return Secret(credentials=(f"x:{secrets.token_urlsafe(24)}",))
    kind = getattr(provider, "PUBLIC_KEY", None)
    return Secret(proof.nobody(kind) if kind else secrets.token_urlsafe(32))
