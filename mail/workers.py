"""The house's workers and the jobs that failed, as RQ keeps them: who lives, what each does, what may be tried again.

Installation-wide, so nothing of anybody's is told: a failed job shows its kind of error, never the error's words, and
the e-mails it held are those of the organisation that asks. Raises redis.RedisError when Redis is away.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import current_app
from rq.exceptions import InvalidJobOperation
from rq.job import Job
from rq.registry import FailedJobRegistry
from sqlalchemy import text

from extensions import QUEUES, db, living_workers, queue
from models.words import N_, Status

_MOST_FAILED = 200  # of each queue
_MOST_HELD = 50
QUEUE_LABELS = {"send": N_("Envoi"), "inbound": N_("Retours"), "work": N_("Travaux")}
# What each function of jobs.py does, for a person.
JOB_LABELS = {
    "drain": N_("Envoi des e-mails"),
    "sweep": N_("Reprise de ce qui attend"),
    "poll_mailboxes": N_("Lecture des retours"),
    "judge_marks": N_("Lecture des ouvertures"),
    "export": N_("Exports"),
    "deliver_webhooks": N_("Webhooks"),
    "prune_webhooks": N_("Ménage des webhooks"),
    "make_documents": N_("Génération de documents"),
    "send_again": N_("Renvois en nombre"),
    "forget_drafts": N_("Ménage des brouillons"),
    "alert_incomplete": N_("Alertes de complétude"),
    "send_digests": N_("Résumés des échecs"),
    "apply_events": N_("Évènements reçus"),
    "send_planned": N_("Envois automatiques"),
    "replan_all": N_("Calcul des envois automatiques"),
    "replan_organisation": N_("Calcul des envois automatiques"),
    "check_domains": N_("Vérification des domaines"),
    "try_senders": N_("Essais d'expéditeurs"),
    "apply_provider_calls": N_("Lecture des retours"),
    "poll_providers": N_("Lecture des retours"),
    "try_provider": N_("Essai d'un service d'envoi"),
    "prune_providers": N_("Ménage des retours"),
    "forget_reports": N_("Ménage des retours"),
    "keep_figures": N_("Chiffres du tableau de bord"),
    "erase_old": N_("Effacement des vieux contenus"),
    "expire_exports": N_("Ménage des exports"),
}
OTHER_JOB = N_("Travail de fond")
# Rung for one organisation, their first argument. What is rung for anything else is told to nobody here.
_OF_ONE = ("replan_organisation",)


@dataclass(frozen=True)
class Alive:
    """A living worker: the queues it serves, since when, and the job it is at (a key of JOB_LABELS, or another)."""

    queues: tuple[str, ...]
    since: datetime | None
    job: str | None


@dataclass(frozen=True)
class Held:
    """An e-mail that a failed job held when it ended."""

    public_id: str
    subject: str
    recipient: str
    status: Status


@dataclass(frozen=True)
class Failed:
    """Jobs of one kind that RQ gave up for one kind of error, the newest at `at`. `error` is the class of the exception
    alone, empty where the process was killed."""

    job: str
    error: str
    queue: str
    ids: tuple[str, ...]
    at: datetime | None
    held: tuple[Held, ...] = ()


def alive() -> list[Alive]:
    """Every living worker, by queue, the longest-lived first."""
    found = []
    for worker in living_workers():
        going = worker.get_current_executions()
        job = _jobs([going[0].job_id])[0] if going else None
        names = tuple(name for name in QUEUES if name in worker.queue_names())
        found.append(Alive(names, _utc(worker.birth_date), _name(job) if job else None))
    return sorted(found, key=lambda one: ([QUEUES.index(name) for name in one.queues], str(one.since)))


def failed(organisation_id: int) -> list[Failed]:
    """The newest failed jobs by kind, with the e-mails of that organisation they held; one statement if any.

    A job that was rung for one organisation (its first argument) is told to that one alone.
    """
    kinds: dict[tuple[str, str, str], list[Job]] = {}
    for name in QUEUES:
        ids = _registry(name).get_job_ids(0, _MOST_FAILED - 1, desc=True)
        for job in _jobs(ids):
            if job is not None and _told_to(job, organisation_id):
                kinds.setdefault((_name(job), _error(job), name), []).append(job)
    held = _held(organisation_id, [job.id for jobs in kinds.values() for job in jobs])
    found = []
    for kind, jobs in kinds.items():
        ended = [moment for job in jobs if (moment := _utc(job.ended_at))]
        theirs = [one for job in jobs for one in held.get(job.id, ())]
        found.append(Failed(*kind, tuple(job.id for job in jobs), max(ended, default=None), tuple(theirs[:_MOST_HELD])))
    return sorted(found, key=lambda one: str(one.at), reverse=True)


def retry(ids: Sequence[str], organisation_id: int) -> list[str]:
    """Ring failed jobs once more: the names of those that were still among the failed, and are not another
    organisation's. They bring nothing twice: the rows decide."""
    names = []
    for registry, job in _find(ids, organisation_id):
        with contextlib.suppress(InvalidJobOperation):  # somebody else was first
            registry.requeue(job)
            names.append(_name(job))
    return names


def dismiss(ids: Sequence[str], organisation_id: int) -> list[str]:
    """Forget failed jobs: what they were to do is in rows, where the sweeps find it again."""
    names = []
    for registry, job in _find(ids, organisation_id):
        registry.remove(job, delete_job=True)
        names.append(_name(job))
    return names


def _find(ids: Sequence[str], organisation_id: int) -> Iterator[tuple[FailedJobRegistry, Job]]:
    for name in QUEUES:
        registry = _registry(name)
        for job in _jobs([one for one in ids[:_MOST_FAILED] if one in registry]):
            if job is not None and _told_to(job, organisation_id):
                yield registry, job


def _registry(name: str) -> FailedJobRegistry:
    return FailedJobRegistry(queue=queue(name))


def _jobs(ids: Sequence[str]) -> list[Job | None]:
    return Job.fetch_many(ids, connection=current_app.extensions["redis"], serializer="json") if ids else []


def _held(organisation_id: int, job_ids: Sequence[str]) -> dict[str, list[Held]]:
    """What those jobs held when they ended, as the reaper noted it, by job: e-mails of that organisation alone."""
    if not job_ids:
        return {}
    rows = db.session.execute(
        text(
            "SELECT job.id AS job, held.* FROM unnest(CAST(:jobs AS text[])) AS job (id) CROSS JOIN LATERAL ("
            "SELECT email.public_id, email.subject, coalesce(nullif(address.name, ''), address.address) AS recipient, "
            "email.status FROM delivery_event AS fact JOIN email ON email.id = fact.email_id "
            "JOIN address ON address.id = email.address_id "
            "WHERE fact.source = 'reaper' AND fact.data ->> 'job' = job.id AND email.organisation_id = :o "
            "ORDER BY fact.id LIMIT :most) AS held"
        ),
        {"jobs": list(job_ids), "o": organisation_id, "most": _MOST_HELD},
    )
    found: dict[str, list[Held]] = {}
    for row in rows:
        found.setdefault(row.job, []).append(Held(row.public_id, row.subject, row.recipient, Status(row.status)))
    return found


def _told_to(job: Job, organisation_id: int) -> bool:
    return not job.args or (_name(job) in _OF_ONE and job.args[0] == organisation_id)


def _name(job: Job) -> str:
    return (job.func_name or "").removeprefix("jobs.")


def _error(job: Job) -> str:
    """The exception's class: its words may be about anybody."""
    result = job.latest_result()
    told = (result.exc_string if result else None) or job._exc_info or ""
    if "Work-horse" in told:
        return ""
    last = next((line for line in reversed(told.splitlines()) if line and not line[0].isspace()), "")
    name = last.partition(":")[0].rpartition(".")[2].strip()
    return name if name.isidentifier() else "Exception"


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
