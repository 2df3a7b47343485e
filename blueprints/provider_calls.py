"""/inbound/providers/NAME/TOKEN: a provider tells what became of e-mails. Kept raw and answered at once.

Whether it is authentic is the provider's file's; whatever is wrong with the proof, and whoever's the address is, the
answer is the same and takes as long.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from blueprints import problems
from blueprints.problems import Problem
from blueprints.support import allow_anyone
from extensions import csrf, db
from mail.providers import accounts, content_types, ledger, trials
from mail.providers.event import LARGEST, Away, Call, Refused

log = logging.getLogger("sillage.inbound")
blueprint = Blueprint("provider_calls", __name__)
csrf.exempt(blueprint)

_REFUSED = "Nothing proves that this comes from the provider of this address."


@blueprint.get("/providers/<name>/<token>")
@allow_anyone
def known(name: str, token: str) -> Response:
    """Providers look whether an address answers before they call it (Mandrill asks by HEAD)."""
    return Response("POST events here.\n", mimetype="text/plain")


@blueprint.post("/providers/<name>/<token>")
@allow_anyone
def told(name: str, token: str) -> Response:
    try:
        return _told(name, token)
    except HTTPException as problem:
        db.session.rollback()
        return problems.answer(problem)


def _refused() -> Problem:
    # SNS sends user and password only when it is asked to
    return Problem(401, _REFUSED, headers={"WWW-Authenticate": 'Basic realm="Sillage"'})


def _told(name: str, token: str) -> Response:
    request.max_content_length = LARGEST
    if request.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise Problem(415, "Send the body as it is, without Content-Encoding.")
    called = accounts.called(name, token)
    if called is None:
        raise _refused()
    if (request.content_length or 0) > LARGEST:
        raise Problem(413, "At most one mebibyte a call.")
    call = Call({key.lower(): value for key, value in request.headers.items()}, request.get_data())
    if call.content_type not in content_types(called.module):
        raise Problem(415, f"One of these is expected: {', '.join(content_types(called.module))}.")
    now = datetime.now(UTC)
    trial = trials.ours(call, token, now)
    try:
        nonce = None
        if not (trial and trials.cannot_sign(called.module)):
            nonce = called.module.verify(call, called.secret, now)
        if called.account_id is None:
            raise Refused("nobody's address")
    except Refused as refused:
        log.warning("a call of %s for account %s was refused: %s", name, called.account_id or "none", refused)
        raise _refused() from refused
    except Away as away:
        log.warning("a call of %s for account %s must be repeated: %s", name, called.account_id, away)
        raise Problem(503, "This cannot be judged now: try again.") from away
    if not ledger.keep(called, call, nonce, trial):
        log.warning("a call of %s for account %s was refused: a replay", name, called.account_id)
        raise Problem(409, "This very call was taken before.")
    db.session.commit()
    return Response("", 204, headers={"Cache-Control": "no-store"})
