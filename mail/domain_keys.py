"""The keys that sign what a domain sends: made here, published by the organisation, used once the DNS gives them.

The only writer of dkim_key. The newest key that is published signs; one whose record is lost or another's signs nothing
until it is back, for a broken signature is worse than none. A second key takes over from the first once it is seen.
"""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from sqlalchemy import select

from errors import UserMistake
from extensions import db
from mail import accounts, dns
from mail.domains import Finding
from mail.signing import Signer
from models import DkimKey, Sender
from models.domain_check import SendingDomain
from models.domain_words import DomainCheckKind, DomainState
from models.words import N_

log = logging.getLogger("sillage.domains")

BITS = 2048
MOST = 2  # the one that signs, and the one that is to take over
_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"


def keys_of(row: SendingDomain) -> list[DkimKey]:
    """A domain's keys, the oldest first."""
    if not row.id:
        return []
    query = select(DkimKey).where(DkimKey.domain_id == row.id, DkimKey.organisation_id == row.organisation_id)
    return list(db.session.scalars(query.order_by(DkimKey.id)))


def signing(keys: Sequence[DkimKey]) -> DkimKey | None:
    """The one of a domain's keys that signs now: the newest that the DNS gives."""
    return next((key for key in reversed(keys) if key.published_at), None)


def make(row: SendingDomain, private: rsa.RSAPrivateKey | None = None, selector: str = "") -> DkimKey:
    """A new key under a selector that was never used, not yet signing. The caller commits. Raises UserMistake."""
    if not accounts.can_keep_secrets():
        raise UserMistake(N_("Rien ne permet encore de chiffrer une clé : ACCOUNT_KEYS n'est pas réglé."))
    db.session.refresh(row, with_for_update=True)
    if len(keys_of(row)) >= MOST:
        raise UserMistake(N_("Ce domaine a déjà deux clés : supprimez d'abord l'ancienne."))
    private = private or rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    made = DkimKey(
        organisation_id=row.organisation_id, domain_id=row.id, public_key=base64.b64encode(public).decode(),
        selector=selector or "sillage-" + "".join(secrets.choice(_ALPHABET) for _ in range(5)),
        private_key=accounts.seal(pem),
    )  # fmt: skip
    db.session.add(made)
    db.session.flush()
    return made


def seen(row: SendingDomain, findings: Sequence[Finding], at: datetime) -> None:
    """Take in what the DNS said of the domain's keys. No answer leaves a key as it was."""
    said = {
        finding.details.get("selector"): finding for finding in findings if finding.check is DomainCheckKind.DKIM
    }  # fmt: skip
    for key in keys_of(row):
        finding = said.get(key.selector)
        if finding is None or finding.state is DomainState.UNKNOWN:
            continue
        key.checked_at = at
        if finding.details.get("bits") and finding.state is not DomainState.BAD:
            key.published_at, key.lost_at = key.published_at or at, None
        elif key.published_at:
            key.published_at, key.lost_at = None, at
            log.warning("the DKIM key %s of %s is no longer published: mail leaves unsigned", key.selector, row.domain)


def signer_of(sender: Sender) -> Signer | None:
    """Who signs what that sender sends; None where nobody does. One statement."""
    try:
        domain = dns.ascii_name(sender.address.rpartition("@")[2])
    except ValueError:
        return None
    query = (
        select(DkimKey.selector, DkimKey.private_key)
        .join(SendingDomain, SendingDomain.id == DkimKey.domain_id)
        .where(
            SendingDomain.organisation_id == sender.organisation_id, SendingDomain.domain == domain,
            DkimKey.organisation_id == sender.organisation_id, DkimKey.published_at.is_not(None),
        )
        .order_by(DkimKey.id.desc())
        .limit(1)
    )  # fmt: skip
    found = db.session.execute(query).one_or_none()
    if found is None:
        return None
    pem = accounts.unseal(found.private_key)
    if pem is None:
        log.warning("the DKIM key %s of %s cannot be read: ACCOUNT_KEYS has changed", found.selector, domain)
        return None
    return Signer(domain, found.selector, _loaded(pem))


@lru_cache(maxsize=64)
def _loaded(pem: str) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key
