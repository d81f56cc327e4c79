"""The engine with one thing wrong in it: what the simulation must find, or it is worth nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from tests.simulation.fake_postgres import ending, starting
from tests.simulation.fake_postgres.record import rows_of
from tests.simulation.plan import Fault, Plan, calm, crowded, mixed, separated
from worker.engine import claims
from worker.engine.beat import Beat
from worker.engine.control import Control
from worker.engine.queue_worker import QueueWorker
from worker.engine.reconciler import Reconciler
from worker.engine.recording import Ending, Recorder
from worker.jobs import ring
from worker.jobs.events import Publisher
from worker.jobs.ledger import Ledger

Mutation = Callable[[], AbstractContextManager[Any]]


async def _nothing(*_: Any, **__: Any) -> Any:
    return []


async def _wait_for_the_end(self: Any) -> None:
    await self._stopping.wait()


def _script(name: str, before: str, after: str) -> AbstractContextManager[Any]:
    """One of the Lua scripts with a text replaced."""

    def mutated(redis: Redis, path: Path) -> AsyncScript:
        text = path.read_text(encoding="utf-8")
        if path.stem == name:
            assert before in text
            text = text.replace(before, after)
        return redis.register_script(f"{ring._COMMON}\n{text}")

    return patch.object(claims, "queue_script", mutated)


def _no_attempt_fence() -> AbstractContextManager[Any]:
    def unfenced(record: Any, columns: Any) -> Iterator[tuple[Any, ...]]:
        for job_id, _, *rest in rows_of(*columns):
            job = record.jobs.get(job_id)
            if job is not None and job["worker"]:
                yield (job, *rest)

    return patch.object(ending, "_fenced", unfenced)


def _no_silence_rule() -> AbstractContextManager[Any]:
    before = Ledger.__init__

    def impatient(self: Ledger, pool: Any, silence_seconds: float = 0.0) -> None:
        before(self, pool, -1e6)

    return patch.object(Ledger, "__init__", impatient)


def _cancel_not_final() -> AbstractContextManager[Any]:
    before = starting._verdict

    def forgetful(record: Any, job: Any, *rest: Any) -> str:
        return before(record, job | {"cancel_requested_at": None}, *rest)

    return patch.object(starting, "_verdict", forgetful)


def _outage_forgets_outcome() -> AbstractContextManager[Any]:
    async def once(self: Recorder, endings: Sequence[Ending]) -> Any:
        return await self._ledger.end([e.decision.finish for e in endings])

    return patch.object(Recorder, "_written", once)


def _claims_while_paused() -> AbstractContextManager[Any]:
    return patch.object(QueueWorker, "_may_claim", property(lambda self: self._free > 0))


def _outages(random: Random) -> Plan:
    faults = [
        Fault(random.uniform(0.0, 8.0), "postgres down", 0, random.uniform(0.5, 5.0))
        for _ in range(3)
    ]
    return replace(mixed(random), faults=faults)


@dataclass(frozen=True)
class Defect:
    """Something wrong, and the kind of worlds in which it shows soonest."""

    plan: Callable[[Random], Plan]
    put_in: Mutation


DEFECTS: dict[str, Defect] = {
    "a finish without the attempt's fence": Defect(separated, _no_attempt_fence),
    "a settlement without the token's check": Defect(
        separated,
        lambda: _script("settle", "redis.call('HGET', OWNERS, id) == ARGV[i + 1]", "true"),
    ),
    "a take-over without the rule of silence": Defect(separated, _no_silence_rule),
    "a cancelled job of a lost worker begins again": Defect(separated, _cancel_not_final),
    "no reconciler": Defect(mixed, lambda: patch.object(Reconciler, "tick", _nothing)),
    "no renewal of leases": Defect(
        separated, lambda: patch.object(Beat, "_renew_leases", _nothing)
    ),
    "no sign of life": Defect(separated, lambda: patch.object(Beat, "_renew_row", _nothing)),
    "no second try at publishing": Defect(
        mixed, lambda: patch.object(Publisher, "publish_overdue", _nothing)
    ),
    "an outage loses what a handler answered": Defect(_outages, _outage_forgets_outcome),
    "orders are read once only": Defect(
        calm, lambda: patch.object(Control, "_poll", _wait_for_the_end)
    ),
    "a paused queue goes on": Defect(calm, _claims_while_paused),
    "no limit per key": Defect(
        calm, lambda: _script("claim", "held(held_of_key(key)) >= per_key", "false")
    ),
    "no limit of the rate": Defect(
        crowded, lambda: _script("claim", "wanted = math.min(wanted, starts_left())", "")
    ),
    "a settled key lets nobody go on": Defect(
        mixed,
        lambda: _script("settle", "if let_go(id, meta, per_key) then woken = true end", ""),
    ),
}
