"""Accounts with providers: made, changed, found by the address that is called; their secrets sealed and opened.

Secrets are encrypted as those of SMTP accounts are (mail.accounts) and opened here alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import ModuleType
from urllib.parse import urlsplit, urlunsplit

import orjson
from sqlalchemy import func, select

from errors import UserMistake
from extensions import db, settings
from mail import accounts
from mail.providers import PROVIDERS, certificates, nobodys, proof, signs, tells
from mail.providers.event import Secret
from models import ProviderAccount
from models.words import N_

MOST = 20
_LONGEST = 2000


@dataclass(frozen=True)
class Keys:
    """What an account holds: `signing` as the provider shows it, our own user and password, the API's key and where
    to ask it (a domain, a project)."""

    signing: str = field(default="", repr=False)
    user: str = "sillage"
    password: str = field(default="", repr=False)
    api: str = field(default="", repr=False)
    where: str = ""

    def sealed(self) -> bytes:
        """As stored. Raises Permanent without ACCOUNT_KEYS."""
        return accounts.seal(orjson.dumps(vars(self)).decode())

    @classmethod
    def opened(cls, stored: bytes) -> Keys:
        """Again; empty where ACCOUNT_KEYS no longer open it: then nothing is authentic."""
        said = accounts.unseal(stored)
        return cls(**orjson.loads(said)) if said else cls()


def listed(organisation_id: int) -> Sequence[ProviderAccount]:
    """The organisation's accounts, those in use first."""
    query = select(ProviderAccount).where(ProviderAccount.organisation_id == organisation_id)
    return list(db.session.scalars(query.order_by(ProviderAccount.active.desc(), ProviderAccount.name)))


def make(organisation_id: int, provider: str, name: str) -> ProviderAccount:
    """A new account with a password of its own; the caller commits. Raises UserMistake."""
    if provider not in PROVIDERS:
        raise UserMistake(N_("Choisissez un service d'envoi."), "provider")
    many = select(func.count()).select_from(ProviderAccount).where(ProviderAccount.organisation_id == organisation_id)
    if (db.session.scalar(many) or 0) >= MOST:
        raise UserMistake(N_("Vous avez déjà beaucoup de services d'envoi : supprimez-en un."), "name")
    module = PROVIDERS[provider]
    keys = Keys(password=secrets.token_urlsafe(24) if tells(module) and not signs(module) else "")
    made = ProviderAccount(organisation_id=organisation_id, provider=provider, name=name, secret=keys.sealed())
    db.session.add(made)
    return made


def change(account: ProviderAccount, signing: str, api: str, where: str) -> None:
    """Set what signs and what polls; an empty key keeps the one there is. The caller commits. Raises UserMistake."""
    keys, module = keys_of(account), PROVIDERS[account.provider]
    signing, api, where = signing.strip(), api.strip(), where.strip()
    if max(map(len, (signing, api, where))) > _LONGEST:
        raise UserMistake(N_("Cette clé est trop longue."), "signing")
    if signing:
        _judge(module, signing)
    keys = replace(keys, signing=signing or keys.signing, api=api or keys.api, where=where)
    account.secret = keys.sealed()
    account.signed = bool(keys.signing)
    account.polled = bool(keys.api)
    account.poll_trouble = ""


def renew_password(account: ProviderAccount) -> None:
    """Another password; the one before opens nothing from now on. The caller commits."""
    account.secret = replace(keys_of(account), password=secrets.token_urlsafe(24)).sealed()


def _judge(module: ModuleType, signing: str) -> None:
    if getattr(module, "PUBLIC_KEY", None):
        try:
            proof.public_key(signing)
        except ValueError as error:
            message = N_("Ce n'est pas une clé publique : copiez-la telle que le service d'envoi la montre.")
            raise UserMistake(message, "signing") from error
    judge = getattr(module, "judge_key", None)
    if judge is not None and not judge(signing):
        raise UserMistake(N_("Ce n'est pas ce que ce service donne : vérifiez ce que vous avez copié."), "signing")


def keys_of(account: ProviderAccount) -> Keys:
    """Its keys, opened: keep them no longer than needed."""
    return Keys.opened(account.secret)


def address(account: ProviderAccount) -> str:
    """The address to give to the provider, without user and password."""
    return _url(account.provider, account.token)


def _url(provider: str, token: str) -> str:
    return f"{settings().base_url}/inbound/providers/{provider}/{token}"


def address_with_password(account: ProviderAccount, keys: Keys) -> str:
    """The same with them, for providers that take them there only."""
    parts = urlsplit(address(account))
    return urlunsplit(parts._replace(netloc=f"{keys.user}:{keys.password}@{parts.netloc}"))


@dataclass(frozen=True)
class Called:
    """Who an address belongs to, and what a call to it is held against; `account_id` None: nobody."""

    module: ModuleType
    account_id: int | None
    organisation_id: int
    secret: Secret


def called(provider: str, token: str) -> Called | None:
    """The account of an address, one statement; None for a provider that is none. A token that is nobody's is opened
    and held against all the same, so that it takes as long to refuse."""
    module = PROVIDERS.get(provider)
    if module is None:
        return None
    columns = (
        ProviderAccount.id, ProviderAccount.organisation_id, ProviderAccount.secret, ProviderAccount.active,
    )  # fmt: skip
    asked = select(*columns).where(ProviderAccount.token == token[:100], ProviderAccount.provider == provider)
    row = db.session.execute(asked).one_or_none()
    if row is None or not row.active:
        Keys.opened(_nobodys_seal())
        return Called(module, None, 0, nobodys(module))
    keys = Keys.opened(row.secret)
    return Called(module, row.id, row.organisation_id, secret_of(module, keys, _url(provider, token)))


def secret_of(module: ModuleType, keys: Keys, url: str) -> Secret:
    """What verify() holds a call against. Signed calls need no password; unsigned ones nothing else."""
    credentials = (f"{keys.user}:{keys.password}",) if keys.password and not signs(module) else ()
    return Secret(keys.signing, credentials, url, certificates.fetch)


@lru_cache(maxsize=1)
def _nobodys_seal() -> bytes:
    return Keys(password=secrets.token_urlsafe(24)).sealed() if accounts.can_keep_secrets() else b""
