"""Which handlers may run beside which, and when one may begin at all, while nothing bad goes on."""

from collections.abc import Sequence
from uuid import UUID

from tests.simulation.fake_postgres.record import SECOND, Record
from tests.simulation.handlers import Run
from tests.simulation.host import Surroundings
from tests.simulation.invariants import LEASE_SECONDS, short
from tests.simulation.loop import EPOCH_SECONDS
from tests.simulation.plan import QUEUES, PlannedJob
from tests.simulation.trace import Trace

# From a change by an operator until every worker obeys, and what was claimed before has begun.
OBEYED_SECONDS = 1.5
# From the answer to a cancellation until the handler sees it.
SEEN_SECONDS = 1.0


class Company:
    """Looks at every handler that begins."""

    def __init__(self, trace: Trace, record: Record, around: Surroundings) -> None:
        self._trace = trace
        self._record = record
        self._around = around

    def joined(self, run: Run, planned: PlannedJob, runs: Sequence[Run]) -> None:
        """A handler begins beside others."""
        run.key = planned.key
        self._alone(run, runs)
        if self._around.calm.lasts(LEASE_SECONDS):
            self._within_limits(run, planned, runs)
            self._within_rate(run, runs)
            self._not_paused(run)

    def _alone(self, run: Run, runs: Sequence[Run]) -> None:
        """A job of a worker that is well is never run by another one."""
        for other in runs:
            if other.job.id == run.job.id and _goes_on(other) and not other.ignores_its_end:
                owner = self._around.engines[other.job.worker]
                self._trace.require(
                    not owner.well.lasts(LEASE_SECONDS), f"{short(run.job.id)} runs twice at once"
                )

    def _within_limits(self, run: Run, planned: PlannedJob, runs: Sequence[Run]) -> None:
        limit = QUEUES[run.job.queue].per_key
        if limit is None or planned.key is None:
            return
        others = [
            r for r in runs if _goes_on(r) and not r.ignores_its_end and r.key == planned.key
        ]  # fmt: skip
        self._trace.require(
            len(others) < limit, f"{short(run.job.id)} breaks the limit of key {planned.key}"
        )

    def _within_rate(self, run: Run, runs: Sequence[Run]) -> None:
        rate = QUEUES[run.job.queue].rate
        if rate is None:
            return
        # A handler begins a moment after the claim that counts.
        since = run.began - rate.seconds + 0.1
        lately = sum(r.job.queue == run.job.queue and r.began > since for r in runs)
        self._trace.require(lately < rate.count, f"{short(run.job.id)} breaks the queue's rate")

    def still_there(self, job_id: UUID, asked: float, runs: Sequence[Run]) -> None:
        """A second ago somebody was told that the job was asked to end: has its handler?"""
        if not self._around.calm.lasts(SEEN_SECONDS + OBEYED_SECONDS):
            return
        for run in runs:
            if run.job.id == job_id and run.began < asked and _goes_on(run):
                self._trace.require(
                    run.ignores_its_end, f"{short(job_id)} was not told that it was cancelled"
                )

    def _not_paused(self, run: Run) -> None:
        control = self._record.controls.get(run.job.queue)
        since = control["paused_at"] if control is not None else None
        if since is not None:
            seconds = EPOCH_SECONDS + run.began - since / SECOND
            self._trace.require(
                seconds < OBEYED_SECONDS, f"{short(run.job.id)} began {seconds} s after the pause"
            )


def _goes_on(run: Run) -> bool:
    return run.ended is None and run.process.alive
