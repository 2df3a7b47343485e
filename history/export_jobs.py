"""Exports made by a job: asked for, waiting their turn, resumed after a death, cancelled, fetched by their owner.

A job writes parts in one snapshot and after each makes the place durable (`last_key`, `size`). One that died is taken
up by whoever runs next: an advisory lock per person, gone with its holder, says whose turn it is, so one export a
person runs at a time. Who may ask is the caller's; the work itself is history.export_work's.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import Connection, Select, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on

import i18n
from errors import UserMistake
from extensions import db, on_commit, ring, settings
from history import export
from history.export_cells import NAMES, Format, chosen
from history.filters import DEFAULT_LIMIT, HistoryFilter
from history.scope import Scope
from models import Contact, Export, Opportunity, Organisation, TrainingSession, User
from models.words import N_, ExportState, Permission

# Rows that need no job; a workbook takes longer.
AT_ONCE = 50_000
AT_ONCE_IN_A_WORKBOOK = 5_000
KEPT = timedelta(days=7)
LONGEST = timedelta(hours=6)
MOST_UNDER_WAY = 20
UNDER_WAY = (ExportState.WAITING, ExportState.RUNNING)
_LOCK = 0x51A6E  # the class of the advisory locks
NOT_ALLOWED = N_("Plus de 50 000 e-mails : demandez cet export à un responsable ou à un administrateur.")
_TOO_MANY = N_("Vingt exports sont déjà en attente : laissez-les finir ou annulez-en.")
_TOO_LONG = N_("L'export n'a pas pu finir en six heures. Filtrez davantage, puis demandez-le de nouveau.")


def at_once(scope: Scope, filter_: HistoryFilter, now: datetime, format_: Format) -> int | None:
    """How many rows there are at most, when so few that the file can be answered at once; None: a job's."""
    most = AT_ONCE_IN_A_WORKBOOK if format_ is Format.XLSX else AT_ONCE
    return None if export.more_than(scope, filter_, now, most) else most


def scope_key(scope: Scope) -> str:
    """The public id of the session, contact or opportunity that `scope` is about, '' for the whole organisation."""
    about = scope.training_session or scope.contact or scope.opportunity
    return about.public_id if about else ""


def name_of(scope: Scope) -> str:
    """What the session, contact or opportunity is called that `scope` is about, '' for the whole organisation."""
    named = scope.training_session or scope.opportunity
    return named.title if named else scope.contact.name if scope.contact else ""


def scope_of(organisation: Organisation, key: str) -> Scope | None:
    """The scope that scope_key() wrote; None when the organisation has no such thing."""
    if not key:
        return Scope(organisation.id, zone=organisation.timezone)
    model: type[Any] = {"S-": TrainingSession, "O-": Opportunity}.get(key[:2], Contact)
    about = db.session.scalar(
        select(model).where(model.public_id == key, model.organisation_id == organisation.id)
    )  # fmt: skip
    if about is None:
        return None
    named = {TrainingSession: "training_session", Contact: "contact", Opportunity: "opportunity"}[model]
    return Scope(organisation.id, zone=organisation.timezone, **{named: about})


def query_of(scope: Scope, filter_: HistoryFilter, columns: Sequence[str] = NAMES) -> str:
    """Scope, filter and columns as the text that read_query() and columns_of() read: `in`, the filter's own canonical
    pairs, and `columns` where they are not all of them in the usual order."""
    key, named = scope_key(scope), [("columns", name) for name in columns if tuple(columns) != NAMES]
    return urlencode([*([("in", key)] if key else []), *filter_.with_(limit=DEFAULT_LIMIT).to_query(), *named])


def read_query(query: str) -> tuple[str, HistoryFilter]:
    """(scope key, filter) out of query_of()'s text; nonsense is dropped, never an error."""
    pairs = parse_qsl(query[:8000], max_num_fields=200)
    return dict(pairs).get("in", "")[:40], HistoryFilter.from_query(pairs)


def columns_of(query: str) -> tuple[str, ...]:
    """The columns out of query_of()'s text."""
    return chosen(value for name, value in parse_qsl(query[:8000], max_num_fields=200) if name == "columns")


def ask(
    user: User, scope: Scope, filter_: HistoryFilter, format_: Format, columns: Sequence[str] = NAMES,
    named: str | None = None, quiet: bool = False,
) -> Export:  # fmt: skip
    """A new export of `user`, to be committed by the caller; the same again while one is under way is that one.

    With `named` it is a new one in any case and that is its public id, not taken yet. `quiet`: no notice on screen when
    it is ready. Raises UserMistake when it is not for that role, or too many wait.
    """
    now, query = datetime.now(UTC), query_of(scope, filter_, columns)
    name = export.filename(filter_, now, scope.zone, format_)
    if not format_.is_list:
        name = export.filename(filter_, now, scope.zone, format_, "preuves", name_of(scope))
    if not user.may(Permission.EXPORT_LARGE) and export.more_than(scope, filter_, now, AT_ONCE):
        raise UserMistake(NOT_ALLOWED)
    db.session.execute(select(User.id).where(User.id == user.id).with_for_update())  # two clicks, one export
    mine = select(Export).where(Export.user_id == user.id, Export.state.in_(UNDER_WAY))
    waiting = list(db.session.scalars(mine))
    for same in waiting:
        if named is None and (same.query, same.format, same.language) == (query, format_.value, i18n.language()):
            return same
    if len(waiting) >= MOST_UNDER_WAY:
        raise UserMistake(_TOO_MANY)
    asked = Export(
        organisation_id=user.organisation_id, user_id=user.id, format=format_.value, query=query,
        language=i18n.language(), filename=name, created_at=now,
        state=ExportState.WAITING, seen_at=now if quiet else None, **({"public_id": named} if named else {}),
    )  # fmt: skip
    db.session.add(asked)
    db.session.flush()
    on_commit(lambda: ring("export", "work"))
    return asked


def listed(user: User) -> list[Export]:
    """The person's own, the newest first."""
    mine = select(Export).where(Export.user_id == user.id, Export.organisation_id == user.organisation_id)
    return list(db.session.scalars(mine.order_by(Export.created_at.desc(), Export.id.desc()).limit(100)))


def unseen_by(user_id: Any) -> Select[tuple[Export]]:
    """What is ready and the person has neither fetched nor put aside, the last first, as a query."""
    mine = select(Export).where(Export.user_id == user_id, Export.state == ExportState.READY)
    return mine.where(Export.seen_at.is_(None)).order_by(Export.finished_at.desc(), Export.id.desc()).limit(20)


def unseen(user: User) -> list[Export]:
    """What is ready and the person has neither fetched nor put aside."""
    return list(db.session.scalars(unseen_by(user.id)))


def cancel(asked: Export) -> bool:
    """Stop it, committed; its job hears of it after the part it writes, and takes the file. False: it was over."""
    stopped = (
        update(Export)
        .where(Export.id == asked.id, Export.state.in_(UNDER_WAY))
        .values(state=ExportState.CANCELLED, finished_at=func.now())
    )
    done = db.session.execute(stopped).rowcount == 1  # type: ignore[attr-defined]
    db.session.commit()
    return done


def file_of(asked: Export) -> Path:
    """Where its file is, once ready."""
    return settings().places.exports / asked.public_id


def part_of(public_id: str) -> Path:
    """The rows written so far."""
    return settings().places.exports / f"{public_id}.part"


def room_of(public_id: str) -> Path:
    """The folder a workbook is made in."""
    return settings().places.exports / f"{public_id}.tmp"


def remove(public_id: str) -> None:
    """Every file of that export."""
    (settings().places.exports / public_id).unlink(missing_ok=True)
    part_of(public_id).unlink(missing_ok=True)
    shutil.rmtree(room_of(public_id), ignore_errors=True)


def expire(now: datetime | None = None) -> int:
    """Put an end to what is past its time and take the files of what is over; returns how many expired."""
    now = now or datetime.now(UTC)
    past = update(Export).where(Export.state == ExportState.READY, Export.expires_at <= now)
    count = db.session.execute(past.values(state=ExportState.EXPIRED)).rowcount  # type: ignore[attr-defined]
    endless = update(Export).where(Export.state == ExportState.RUNNING, Export.started_at <= now - LONGEST)
    db.session.execute(endless.values(state=ExportState.FAILED, error=_TOO_LONG, finished_at=now))
    db.session.commit()
    folder = settings().places.exports
    if folder.is_dir():
        names = {path.name.partition(".")[0] for path in folder.iterdir() if path.name.startswith("X-")}
        keeping = select(Export.public_id).where(
            Export.public_id.in_(names), Export.state.in_((*UNDER_WAY, ExportState.READY))
        )  # fmt: skip
        for name in names - set(db.session.scalars(keeping)):
            remove(name)
        db.session.rollback()
    return int(count)


def take_turn(connection: Connection) -> int | None:
    """The export to work on next, its owner's turn held until the connection's transaction ends; None: nothing to do.

    What a dead job left comes before what has not begun.
    """
    first = (
        select(Export.id, Export.user_id, Export.created_at)
        .ext(distinct_on(Export.user_id))
        .where(Export.state.in_(UNDER_WAY))
        .order_by(Export.user_id, Export.state == ExportState.WAITING, Export.created_at, Export.id)
        .subquery()
    )
    for export_id, user_id, _at in connection.execute(select(first).order_by(first.c.created_at)).all():
        held = connection.scalar(select(func.pg_try_advisory_xact_lock(_LOCK, user_id % 2**31)))
        still = select(Export.id).where(Export.id == export_id, Export.state.in_(UNDER_WAY))
        if held and connection.scalar(still):
            return int(export_id)
    return None
