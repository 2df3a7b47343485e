"""Process entry of the RQ workers and of the one cron: `python worker.py send|inbound|work` and `… cron`.

Jobs and everything they need are imported before the first fork; a forked horse drops the connections it inherited.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import time
from typing import Any

from redis import Redis
from rq import Queue, Worker
from rq.cron import CronJob, CronScheduler
from rq.job import Job

import jobs
import metrics
from app import create_app
from extensions import QUEUES, db, queue


class HouseWorker(Worker):
    """An RQ worker whose horses run in the app's context and hear of a warm shutdown."""

    def setup_work_horse_signals(self) -> None:
        """The horse finishes what is on the line when asked to stop; RQ's own lets SIGTERM kill it."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, jobs.ask_to_stop)

    def handle_warm_shutdown_request(self) -> None:
        super().handle_warm_shutdown_request()
        if self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        with app.app_context():
            db.engine.dispose(close=False)  # the parent's connections are the parent's
            app.extensions["redis"].connection_pool.reset()
        super().main_work_horse(job, queue)

    def perform_job(self, job: Job, queue: Queue, *rest: Any) -> bool:
        began = time.monotonic()
        with app.app_context():
            done = super().perform_job(job, queue, *rest)
            self._count(job, time.monotonic() - began, not done)
            return done

    def handle_work_horse_killed(self, job: Job, *rest: Any) -> None:
        """Its horse died with the job: nobody else counts that."""
        super().handle_work_horse_killed(job, *rest)
        self._count(job, 0.0, True)

    @staticmethod
    def _count(job: Job, seconds: float, failed: bool) -> None:
        metrics.job_done(app.extensions["redis"], (job.func_name or "").removeprefix("jobs."), seconds, failed)


class RingingJob(CronJob):
    """A cron job that is enqueued as JSON: RQ's own would pickle it, and our workers read no pickles."""

    def enqueue(self, connection: Redis) -> Job:
        with app.app_context():
            return queue(self.queue_name).enqueue(self.func, **self.job_options)


class HouseCron(CronScheduler):
    """RQ's cron with our jobs."""

    def register(self, func: Any, queue_name: str, **options: Any) -> CronJob:  # type: ignore[override]
        job = RingingJob(queue_name, func=func, **options)
        self._cron_jobs.append(job)
        return job


def run_cron() -> None:
    """Ring every job of SCHEDULE at its interval. One process; two would only ring twice."""
    with app.app_context():
        cron = HouseCron(connection=app.extensions["redis"])
        for name, queue_name, seconds in jobs.SCHEDULE:
            cron.register(
                getattr(jobs, name), queue_name, interval=seconds, job_timeout=600, result_ttl=0, ttl=60,
                failure_ttl=86400,
            )  # fmt: skip
        cron.start()


def main(arguments: list[str]) -> int:
    """Run until told to stop. Exit 2 for an unknown queue."""
    names = arguments or list(QUEUES)
    if names == ["cron"]:
        run_cron()
        return 0
    if unknown := set(names) - set(QUEUES):
        print(f"worker.py: no such queue: {', '.join(sorted(unknown))}; one of {', '.join(QUEUES)} or cron")
        return 2
    with app.app_context():
        worker = HouseWorker(
            [queue(name) for name in names], connection=app.extensions["redis"], serializer="json",
            maintenance_interval=60,
            worker_ttl=45,  # an idle worker is heard every 30 s: /readyz looks at the last 90
        )  # fmt: skip
    jobs.work_for(os.getpid())  # the horses forked from here: a parent's death shows even before their first line
    worker.work(logging_level=os.environ.get("SILLAGE_LOG", "WARNING"))
    return 0


if __name__ == "__main__":
    logging.getLogger("rq").setLevel(logging.WARNING)
    app = create_app()
    sys.exit(main(sys.argv[1:]))
