"""Whether an e-mail is authenticated as a receiver with DMARC sees it: SPF of its return path, aligned with its From.

As if it came from the address that the demo's settings say we send from (it comes from loopback). Signatures are not
looked at. The judgment is mail.spf's and mail.dmarc's, over the practice name server.
"""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from importlib import import_module
from typing import Any


def proven(server: str, ip: str, mail_from: str, content: bytes) -> bool:
    """Whether SPF passes for `mail_from` from `ip` and speaks for the domain in From; `server` is the DNS to ask."""
    sent_as = message_from_bytes(content, policy=default)["From"]
    addresses: tuple[Any, ...] = tuple(getattr(sent_as, "addresses", ()))
    if len(addresses) != 1 or not ip:
        return False
    # here, where somebody asks: the post office starts without the application
    spf, dmarc, dns = (import_module(f"mail.{name}") for name in ("spf", "dmarc", "dns"))
    domain = addresses[0].domain.lower()
    envelope = mail_from.strip("<>").rpartition("@")[2].lower() or domain
    ask = dns.Resolver(server, lifetime=2.0, budget=5.0)
    rules = dmarc.find(ask, domain)
    aligned = rules.aligned(domain, envelope, rules.spf_strict)
    return bool(aligned and spf.allows(ask, envelope, ip))
