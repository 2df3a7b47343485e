"""A trial: a call of our own to our own address, as the provider would make it, to be seen arriving.

Where the provider signs with a key that only it has, ours stands for it; everywhere the call says, signed with the
house's key, that it is a trial, so that it never becomes a fact.
"""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
from datetime import datetime
from types import ModuleType
from urllib.parse import urlencode, urlsplit

import orjson
from sqlalchemy import select, update

from extensions import db, on_commit, ring, settings
from mail.providers import PROVIDERS, proof, signs
from mail.providers.accounts import Keys, address, secret_of
from mail.providers.event import Call, Refused
from mail.providers.fields import Fields
from models import ProviderAccount

JOB = "try_provider"
HEADER = "x-sillage-trial"
RECIPIENT = "essai@sillage.invalid"
_TIMEOUT = 10.0


def cannot_sign(module: ModuleType) -> bool:
    """Whether only the provider itself can sign its calls."""
    return signs(module) and not hasattr(module, "sign")


def ours(call: Call, token: str, now: datetime) -> bool:
    """Whether a call to that address is a trial of ours, of these minutes."""
    stamp, _, shown = call.headers.get(HEADER, "").partition(".")
    if not shown or len(stamp) > 12 or len(shown) > 100:
        return False
    try:
        proof.signed(settings().secret_key, _signed(token, stamp, call.body), shown)
        proof.fresh(Fields({"at": stamp}).epoch("at"), now)
    except Refused:
        return False
    return True


def _signed(token: str, stamp: str, body: bytes) -> bytes:
    return f"sillage provider trial {token} {stamp} ".encode() + body


def ask(account: ProviderAccount) -> None:
    """Have a worker make the call, once the caller commits."""
    account.trial_at, account.trial_answer = db.func.now(), ""
    db.session.flush()
    account_id = account.id
    on_commit(lambda: ring(JOB, "inbound", account_id))


def make(account: ProviderAccount, keys: Keys, now: datetime) -> Call:
    """The call: headers and body."""
    module = PROVIDERS[account.provider]
    kind, said = module.trial("essai", RECIPIENT, f"<essai.{secrets.token_hex(8)}@sillage.invalid>", now)
    secret = secret_of(module, keys, address(account))
    headers = {"content-type": kind}
    if hasattr(module, "sign") and keys.signing:
        said, more = module.sign(said, secret, now)
        headers |= more
    elif not signs(module):
        headers["authorization"] = proof.basic_header(keys.user, keys.password)
    body = urlencode(said).encode() if kind == "application/x-www-form-urlencoded" else orjson.dumps(said)
    stamp = str(int(now.timestamp()))
    shown = proof.hex_hmac(settings().secret_key.encode(), _signed(account.token, stamp, body))
    return Call(headers | {HEADER: f"{stamp}.{shown}"}, body)


def send(account_id: int, now: datetime) -> str:
    """Make the call and write down what our address answered; committed. Returns that."""
    account = db.session.scalar(select(ProviderAccount).where(ProviderAccount.id == account_id))
    if account is None or not hasattr(PROVIDERS[account.provider], "trial"):
        return ""
    call, where = make(account, Keys.opened(account.secret), now), address(account)
    db.session.commit()  # no connection is held meanwhile
    answer = _post(where, call)
    db.session.execute(
        update(ProviderAccount).where(ProviderAccount.id == account_id).values(trial_answer=answer[:200])
    )
    db.session.commit()
    return answer


def _post(url: str, call: Call) -> str:
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        if ca_file := settings().webhook_ca_file:
            context.load_verify_locations(str(ca_file))
        connection = http.client.HTTPSConnection(parts.netloc, timeout=_TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT)
    try:
        connection.request("POST", parts.path, call.body, dict(call.headers))
        answer = connection.getresponse()
        if answer.status == 204:
            return "204"
        words = answer.read(2000)
        try:
            return f"{answer.status} {json.loads(words).get('detail', '')}"
        except (ValueError, AttributeError):
            return str(answer.status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()
