"""Trials of senders as rows: asked for on a screen, run once by a worker, forgotten after a month.

What is said over the wire is mail.trial's. No transaction is open while a server is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update

from extensions import db, on_commit, ring, settings
from i18n import english, french
from mail import accounts, domain_keys, mime, signing, trial
from mail.compose import Draft
from mail.headers import wire_address
from models import Sender, SenderTrial, SmtpAccount, TrialTrouble, User
from models.words import N_, ReturnPath

KEPT = timedelta(days=30)
# One that began so long ago was held by a worker that died.
_LOST_AFTER = timedelta(seconds=trial.SECONDS + 35)
_SUBJECT = N_("Essai d'envoi : %(address)s")
_TEXT = N_(
    "Bonjour,\n\nCet e-mail a été demandé dans Sillage pour essayer l'expéditeur %(address)s. "
    "S'il vous est parvenu, cet expéditeur fonctionne ; il n'y a rien d'autre à faire.\n\n%(house)s"
)


def ask(sender: Sender, account: SmtpAccount | None, by: User) -> SenderTrial:
    """A trial of that sender to `by`, over `account` (None: the house's), rung for after the caller's commit."""
    made = SenderTrial(
        organisation_id=sender.organisation_id, sender_id=sender.id, account_id=account.id if account else None,
        asked_by_id=by.id, recipient=by.email,
    )  # fmt: skip
    db.session.add(made)
    on_commit(lambda: ring("try_senders", "inbound"))
    return made


def newest(sender: Sender, account_id: int | None) -> SenderTrial | None:
    """The last trial of a sender over an account."""
    query = select(SenderTrial).where(SenderTrial.sender_id == sender.id, SenderTrial.account_id == account_id)
    return db.session.scalars(query.order_by(SenderTrial.id.desc()).limit(1)).one_or_none()


def run_waiting(stop: Callable[[], bool] = lambda: False) -> int:
    """Run what waits, one after the other; how many. Each is committed by itself."""
    _give_up_lost()
    count = 0
    while not stop() and (held := _claim()) is not None:
        _run(db.session.get_one(SenderTrial, held))
        count += 1
    return count


def forget() -> None:
    """Take away what is older than KEPT."""
    db.session.execute(delete(SenderTrial).where(SenderTrial.created_at < func.now() - KEPT))
    db.session.commit()


def _claim() -> int | None:
    waiting = (
        select(SenderTrial.id)
        .where(SenderTrial.finished_at.is_(None), SenderTrial.started_at.is_(None))
        .order_by(SenderTrial.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    taken = update(SenderTrial).where(SenderTrial.id.in_(waiting.scalar_subquery())).values(started_at=func.now())
    found = db.session.scalar(taken.returning(SenderTrial.id))
    db.session.commit()
    return found


def _give_up_lost() -> None:
    lost = update(SenderTrial).where(
        SenderTrial.finished_at.is_(None), SenderTrial.started_at < func.now() - _LOST_AFTER
    )
    db.session.execute(lost.values(finished_at=func.now(), trouble=TrialTrouble.LOST))
    db.session.commit()


def _run(row: SenderTrial) -> None:
    sender, account_id, recipient = row.sender, row.account_id, row.recipient
    body, utf8 = _message(row, sender)
    mail_from = wire_address(_return_path(sender))[0]
    db.session.commit()  # nothing is held while the server thinks
    account = accounts.house() if account_id is None else accounts.of([account_id]).get(account_id)
    if account is None:
        return  # deleted meanwhile, and its trials with it
    told = trial.run(account, settings(), mail_from, wire_address(recipient)[0], body, utf8)
    db.session.execute(
        update(SenderTrial).where(SenderTrial.id == row.id).values(
            finished_at=func.now(), arrived=told.arrived, phase=told.phase, trouble=told.trouble, lines=told.lines,
            tls=told.tls,
        )
    )  # fmt: skip
    db.session.commit()


def _message(row: SenderTrial, sender: Sender) -> tuple[bytes, bool]:
    """The message's bytes as any e-mail's are made, and whether its addresses need SMTPUTF8."""
    person = db.session.get(User, row.asked_by_id) if row.asked_by_id else None
    say = english().gettext if person is not None and person.language == "en" else french
    house = person.organisation.name if person else ""
    said = {"address": sender.address, "house": house}
    draft = Draft(row.recipient, person.name if person else "", None, None, "alert", say(_SUBJECT) % said, "",
                  say(_TEXT) % said + "\n", ())  # fmt: skip
    domain = wire_address(sender.address)[0].rpartition("@")[2]
    frozen = mime.freeze(
        draft, sender, message_id=f"<{row.public_id.lower()}@{domain}>", pixel_url=None, date=datetime.now(UTC)
    )
    made = signing.stamped(frozen, domain_keys.signer_of(sender))
    return mime.join(made.skeleton, made.cuts), made.smtputf8


def _return_path(sender: Sender) -> str:
    """Where a report about a trial would come back to: without an e-mail's token, for it is none."""
    own = sender.return_path is ReturnPath.OWN or not sender.bounce_address
    return sender.address if own else sender.bounce_address
