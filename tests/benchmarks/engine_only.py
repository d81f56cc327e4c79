"""The same worker without a record: what the engine costs by itself."""

from collections.abc import Sequence
from typing import Any

from tests.benchmarks import app
from worker.engine import engine
from worker.jobs.finishes import Finish
from worker.jobs.ledger import Claim, Ledger, NotStarted
from worker.jobs.model import StartedJob
from worker.jobs.states import State


class NoLedger(Ledger):
    """Starts whatever was claimed, and forgets how it ended."""

    async def start(
        self, claims: Sequence[Claim], worker: str, kinds: Sequence[str]
    ) -> list[StartedJob | NotStarted]:
        """Every claim is a no-op job's first attempt."""
        return [_started(claim, worker) for claim in claims]

    async def end(self, finishes: Sequence[Finish]) -> list[State | Exception | None]:
        """Always right, and at once."""
        return [f.state for f in finishes]


def _started(claim: Claim, worker: str) -> StartedJob:
    return StartedJob(
        id=claim.id,
        queue="bench",
        kind="noop",
        payload={},
        attempt=1,
        failures=0,
        max_attempts=1,
        project_id=None,
        delivery_id=None,
        correlation_id=None,
        waited=0.0,
        token=claim.token,
        worker=worker,
        project=None,
    )


def __getattr__(name: str) -> Any:
    if name == "WorkerSettings":
        vars(engine)["Ledger"] = NoLedger
        return app.WorkerSettings
    raise AttributeError(name)
