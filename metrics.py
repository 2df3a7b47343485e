"""What machines watch, as Prometheus reads it: the outbox, what became of e-mails, workers, jobs, web requests.

Everything is the whole house's, without organisations or people. Depths are read when they are asked for, from the
database and Redis. What is counted lives in Redis, added to by every process, so it does not matter which of them
answers and none leaves files behind; a lost Redis begins the counters again, which Prometheus understands.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from redis import Redis
from redis.exceptions import RedisError, WatchError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from extensions import QUEUES, db, living_workers, queue
from models.standing import FIRST_DUE, QUEUED, STANDING, Standing
from models.words import EventKind, Status

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds
_WEB, _JOBS, _EVENTS = "sillage:metrics:web", "sillage:metrics:jobs", "sillage:metrics:events"
_FLUSH = 5.0
# A fact is counted once it is so old: what was written beside it has been committed by then.
_SETTLED = "interval '5 seconds'"
_MOST_EVENTS = 500_000  # at one time; the rest the next time
_MOST_UNCERTAIN = 1_000  # of each organisation

_OUTBOX = f"""
SELECT {STANDING} AS standing, count(*) AS emails, extract(epoch FROM now() - min({FIRST_DUE})
  FILTER (WHERE sender.paused_at IS NULL AND {FIRST_DUE} <= now())) AS oldest
FROM outbox_entry JOIN sender ON sender.id = outbox_entry.sender_id GROUP BY 1"""
_REST = f"""
SELECT (SELECT count(*) FROM organisation CROSS JOIN LATERAL (
    SELECT FROM email WHERE organisation_id = organisation.id AND status = '{Status.UNCERTAIN.value}'
    AND treated_at IS NULL LIMIT {_MOST_UNCERTAIN}) AS doubtful) AS uncertain,
  (SELECT count(*) FROM sender WHERE paused_at IS NOT NULL) AS paused,
  (SELECT count(*) FROM server_away WHERE seen_at > now() - interval '5 hours') AS away,
  (SELECT coalesce(sum(lines), 0) FROM drain WHERE seen_at > now() - interval '10 seconds') AS lines"""
_COUNTED = f"""
SELECT kind, count(*) AS number, max(id) AS newest FROM (
  SELECT id, kind FROM delivery_event WHERE id > :after AND recorded_at < clock_timestamp() - {_SETTLED}
  ORDER BY id LIMIT {_MOST_EVENTS}) AS fresh GROUP BY kind"""


@dataclass(frozen=True)
class Outbox:
    """The whole house's outbox now: e-mails by standing, and the age in seconds of the oldest of each that was to leave
    before now and whose sender is not paused; e-mails in doubt that nobody has dealt with; paused senders; servers
    away; lines held."""

    emails: dict[str, int]
    oldest: dict[str, float]
    uncertain: int
    paused: int
    away: int
    lines: int


def outbox() -> Outbox:
    """Two statements; raises sqlalchemy's errors where the database does not answer within five seconds."""
    with db.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("SET LOCAL statement_timeout = 5000")
        rows = {row.standing: row for row in connection.execute(text(_OUTBOX))}
        rest = connection.execute(text(_REST)).one()
    emails = {one.value: rows[one.value].emails if one.value in rows else 0 for one in QUEUED}
    ages = {standing: float(row.oldest or 0) for standing, row in rows.items()}
    oldest = {one.value: round(ages.get(one.value, 0.0), 3) for one in QUEUED if one is not Standing.LATER}
    return Outbox(emails, oldest, rest.uncertain, rest.paused, rest.away, int(rest.lines))


def workers() -> dict[str, int]:
    """How many living workers serve each queue. Raises redis.RedisError."""
    served = Counter(name for worker in living_workers() for name in worker.queue_names())
    return {name: served[name] for name in QUEUES}


class WebTimes:
    """One process's web requests by endpoint, handed to Redis every few seconds by a thread of its own (`background`),
    so that no request waits for it. What is not handed over when the process dies is lost: five seconds at most."""

    def __init__(self, client: Redis, background: bool) -> None:
        self._client, self._background = client, background
        self._pending: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def observe(self, endpoint: str, status: int, seconds: float) -> None:
        """One request was answered."""
        with self._lock:
            self._pending[f"bucket:{endpoint}:{bisect_left(BUCKETS, seconds)}"] += 1
            self._pending[f"micros:{endpoint}"] += round(seconds * 1e6)
            self._pending[f"status:{endpoint}:{status // 100}xx"] += 1
            if self._background and self._thread is None:  # in the process that serves, after any fork
                self._thread = threading.Thread(target=self._go_on, name="web-times", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Hand over what is pending; it stays where Redis is away."""
        with self._lock:
            pending, self._pending = self._pending, Counter()
        if not pending:
            return
        try:
            with self._client.pipeline() as pipeline:
                for name, number in pending.items():
                    pipeline.hincrby(_WEB, name, number)
                pipeline.execute()
        except (RedisError, OSError):
            with self._lock:
                self._pending.update(pending)

    def _go_on(self) -> None:
        pause = threading.Event()
        while not pause.wait(_FLUSH):
            self.flush()


def job_done(client: Redis, name: str, seconds: float, failed: bool) -> None:
    """A job ended, well or not; for workers."""
    with suppress(RedisError, OSError), client.pipeline() as pipeline:
        pipeline.hincrby(_JOBS, f"count:{name}", 1)
        pipeline.hincrby(_JOBS, f"failed:{name}", int(failed))
        pipeline.hincrby(_JOBS, f"micros:{name}", round(seconds * 1e6))
        pipeline.execute()


def count_events(client: Redis) -> dict[str, int]:
    """What became of e-mails, by kind of fact, since the counting began; the new ones are counted now.

    Two that ask at once count nothing twice: the second finds that the first has been there, and takes its numbers.
    """
    with client.pipeline() as pipeline:
        pipeline.watch(_EVENTS)
        known = {name.decode(): int(value) for name, value in pipeline.hgetall(_EVENTS).items()}
        with db.engine.connect() as connection, connection.begin():
            connection.exec_driver_sql("SET LOCAL statement_timeout = 5000")
            if "after" not in known:  # begins with what comes next, not with years of it
                newest = connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM delivery_event").scalar_one()
                rows: list[Any] = []
            else:
                rows = list(connection.execute(text(_COUNTED), {"after": known["after"]}))
                newest = max((row.newest for row in rows), default=known["after"])
        pipeline.multi()
        pipeline.hset(_EVENTS, "after", newest)
        for row in rows:
            pipeline.hincrby(_EVENTS, row.kind, row.number)
        try:
            pipeline.execute()
            known = dict(Counter(known) + Counter({row.kind: row.number for row in rows}))
        except WatchError:
            known = {name.decode(): int(value) for name, value in client.hgetall(_EVENTS).items()}
    return {kind.value: known.get(kind.value, 0) for kind in EventKind}


class House:
    """What Prometheus is told; `collect` reads it all anew. A part that does not answer is down, and left out."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("sillage_up", "Whether a part of the house answers.", labels=["part"])
        for part, told in (("database", self._outbox), ("redis", self._redis), ("events", self._events)):
            try:
                found = list(told())
            except (DBAPIError, PoolTimeout, RedisError, OSError):
                found = []
            up.add_metric([part], float(bool(found)))
            yield from found
        yield up

    def _outbox(self) -> Iterator[Metric]:
        now = outbox()
        depth = GaugeMetricFamily("sillage_outbox_emails", "E-mails in the outbox by standing.", labels=["standing"])
        for standing, number in now.emails.items():
            depth.add_metric([standing], number)
        yield depth
        age = GaugeMetricFamily("sillage_outbox_oldest_seconds", "Age of the oldest e-mail (paused senders apart).",
                                labels=["standing"])  # fmt: skip
        for standing, seconds in now.oldest.items():
            age.add_metric([standing], seconds)
        yield age
        for name, words, value in (
            ("uncertain_emails", "E-mails in doubt that nobody has dealt with.", now.uncertain),
            ("paused_senders", "Senders that are paused.", now.paused),
            ("servers_away", "Sending servers that do not answer.", now.away),
            ("sending_lines", "Lines to sending servers that workers hold.", now.lines),
        ):
            yield GaugeMetricFamily(f"sillage_{name}", words, value=value)

    def _events(self) -> Iterator[Metric]:
        told = CounterMetricFamily("sillage_delivery_events", "Facts about e-mails by kind.", labels=["kind"])
        for kind, number in count_events(self._client).items():
            told.add_metric([kind], number)
        yield told

    def _redis(self) -> Iterator[Metric]:
        alive = GaugeMetricFamily("sillage_workers", "Living workers by queue.", labels=["queue"])
        waiting = GaugeMetricFamily("sillage_jobs_queued", "Jobs that wait, by queue.", labels=["queue"])
        failed = GaugeMetricFamily("sillage_jobs_given_up", "Failed jobs that are kept, by queue.", labels=["queue"])
        for name, number in workers().items():
            line = queue(name)
            alive.add_metric([name], number)
            waiting.add_metric([name], len(line))
            failed.add_metric([name], line.failed_job_registry.count)
        yield from (alive, waiting, failed)
        yield from self._jobs()
        yield from self._web()

    def _jobs(self) -> Iterator[Metric]:
        said = self._hash(_JOBS)
        seconds = CounterMetricFamily("sillage_job_seconds", "Time that jobs took.", labels=["job"])
        count = CounterMetricFamily("sillage_jobs", "Jobs that ended.", labels=["job"])
        failures = CounterMetricFamily("sillage_job_failures", "Jobs that failed.", labels=["job"])
        for (what, name), number in said:
            if what == "micros":
                seconds.add_metric([name], number / 1e6)
            else:
                (failures if what == "failed" else count).add_metric([name], number)
        yield from (seconds, count, failures)

    def _web(self) -> Iterator[Metric]:
        buckets: dict[str, Counter[int]] = {}
        micros: Counter[str] = Counter()
        answers = CounterMetricFamily("sillage_web_answers", "Answers by kind.", labels=["endpoint", "status"])
        for (what, endpoint, *rest), number in self._hash(_WEB):
            if what == "bucket":
                buckets.setdefault(endpoint, Counter())[int(rest[0])] = number
            elif what == "micros":
                micros[endpoint] = number
            else:
                answers.add_metric([endpoint, rest[0]], number)
        times = HistogramMetricFamily("sillage_web_seconds", "Time until an answer began.", labels=["endpoint"])
        for endpoint, counts in buckets.items():
            told, so_far = [], 0
            for place, edge in enumerate((*BUCKETS, "+Inf")):
                so_far += counts[place]
                told.append((str(edge), so_far))
            times.add_metric([endpoint], told, micros[endpoint] / 1e6)
        yield from (times, answers)

    def _hash(self, key: str) -> list[tuple[list[str], int]]:
        return sorted((name.decode().split(":"), int(value)) for name, value in self._client.hgetall(key).items())


def exposition(client: Redis) -> bytes:
    """Everything in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(House(client))  # type: ignore[arg-type]
    return generate_latest(registry)
