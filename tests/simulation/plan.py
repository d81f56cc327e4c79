"""What a seed stands for: the jobs of a world, its workers, and the faults they meet."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

from worker.jobs.backoff import Backoff
from worker.jobs.queues import Queue, Rate

ARRIVALS_SECONDS = 12.0
HEALED_AT = 30.0
PROMPT = Backoff("fixed", 0.3)
QUEUES = {
    q.name: q
    for q in (
        Queue("plain", ("obey", "novel"), backoff=PROMPT, concurrency=4, timeout=20.0, sla=3.0),
        Queue("limited", ("limited",), backoff=PROMPT, concurrency=3, timeout=4.0,
              rate=Rate(6, 5.0), per_key=1, per_organisation=2, cancel_superseded=True),
    )
}  # fmt: skip

# What the n-th attempt at a job does; the last one is repeated.
Act = Literal[
    "complete", "fail", "raise", "permanent", "cancel", "snooze", "outage", "overrun", "stubborn",
    "kill", "block", "exit", "nonsense",
]  # fmt: skip
COMMON: list[Act] = ["complete", "complete", "complete", "fail", "raise", "snooze", "outage"]
RARE: list[Act] = ["permanent", "cancel", "overrun", "stubborn", "kill", "block", "exit",
                   "nonsense"]  # fmt: skip


@dataclass(frozen=True)
class PlannedJob:
    """A job to come: when, to which queue, and what its attempts do."""

    at: float
    kind: str
    acts: tuple[Act, ...]
    steps: int
    seconds: float
    key: str | None = None
    tenant: str | None = None
    lane: str | None = None
    priority: int = 0
    delay: float = 0.0
    by_delivery: bool = False
    rung: bool = True
    cancel_after: float | None = None
    retry_after: float | None = None

    @property
    def queue(self) -> str:
        """The queue of its kind."""
        return "limited" if self.kind == "limited" else "plain"

    @property
    def payload(self) -> dict[str, Any]:
        """What its handler is told."""
        return {"acts": [*self.acts], "steps": self.steps, "seconds": self.seconds}


# What a schedule's jobs are.
SCHEDULED = PlannedJob(0.0, "obey", ("complete",), 1, 0.1)
SCHEDULES = {"catching": "catch_up", "skipping": "skip"}


@dataclass(frozen=True)
class Fault:
    """Something bad, from a moment on, for so long."""

    at: float
    what: str
    worker: int
    seconds: float


@dataclass(frozen=True)
class Order:
    """What an operator does to a queue at a moment."""

    at: float
    queue: str
    what: Literal["pause", "resume", "resize"]


FAULTS = (
    "kill", "kill midway", "kill midway", "stop", "pause", "pause midway", "block", "flush",
    "flush", "redis down", "redis restart", "redis full", "redis demoted", "postgres down",
    "postgres trouble", "redis silent", "postgres silent", "both silent", "clock",
)  # fmt: skip
SEPARATIONS = (
    "pause", "pause midway", "redis silent", "redis silent", "postgres silent", "both silent",
    "flush", "kill",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Everything that a seed decides beforehand."""

    jobs: list[PlannedJob]
    faults: list[Fault]
    orders: list[Order]
    workers: int
    lose: float = 0.0
    slow: float = 0.0
    deadlocks: float = 0.0
    scheduled: bool = False

    @classmethod
    def of(cls, random: Random) -> "Plan":
        """Draw one: everything goes well, or anything goes wrong, or long jobs are cut off."""
        draw = random.choices([calm, crowded, mixed, separated], [0.12, 0.06, 0.57, 0.25])[0]
        return draw(random)


def calm(random: Random) -> Plan:
    """Nothing goes wrong but what handlers do."""
    jobs = [_job(random) for _ in range(random.randint(4, 16))]
    return Plan(jobs, [], _orders(random), random.randint(1, 3), scheduled=True)


def crowded(random: Random) -> Plan:
    """More comes at once than the limited queue may begin."""
    jobs = [
        replace(_job(random), at=0.0, kind="limited", acts=("complete",), seconds=0.01, key=None,
                tenant=random.choice(["t1", "t2", "t3"]), lane=None, delay=0.0)
        for _ in range(random.randint(10, 20))
    ]  # fmt: skip
    return Plan(jobs, [], [], 2)


def mixed(random: Random) -> Plan:
    """Anything goes wrong."""
    workers = random.choice([1, 2, 2, 2, 3])
    return Plan(
        jobs=[_job(random) for _ in range(random.randint(4, 16))],
        faults=[_fault(random, workers) for _ in range(random.randint(1, 6))],
        orders=_orders(random),
        workers=workers,
        lose=random.choice([0.0, 0.0, 0.005, 0.03]),
        slow=random.choice([0.0, 0.0, 0.01]),
        deadlocks=random.choice([0.0, 0.0, 0.02]),
        scheduled=random.choice([True, False]),
    )


def separated(random: Random) -> Plan:
    """Jobs that outlast a lease, on workers that are cut off from a server or stopped."""
    workers = random.choice([2, 3])
    jobs = [_long_job(random) for _ in range(random.randint(2, 6))]
    faults = [
        Fault(random.uniform(0.5, 8.0), random.choice(SEPARATIONS), random.randrange(workers),
              random.uniform(10.0, 25.0))
        for _ in range(random.randint(1, 3))
    ]  # fmt: skip
    return Plan(jobs, faults, [], workers)


def _job(random: Random) -> PlannedJob:
    kind = random.choice(["obey", "obey", "limited", "limited", "novel"])
    return PlannedJob(
        at=random.choice([0.0, 0.0, random.uniform(0.0, ARRIVALS_SECONDS)]),
        kind=kind,
        acts=_acts(random),
        steps=random.randint(0, 3),
        seconds=random.choice([0.0, 0.01, 0.3, 1.0, 2.0, 6.0]),
        key=random.choice([None, "a", "b"]) if kind == "limited" else None,
        tenant=random.choice([None, "t1", "t1", "t2"]),
        lane=random.choice([None, None, None, "main", "side"]) if kind == "limited" else None,
        priority=random.choice([0, 0, 0, 5, 10]),
        delay=random.choice([0.0, 0.0, 0.0, random.uniform(0.1, 8.0)]),
        by_delivery=random.random() < 0.5,
        rung=random.random() < 0.85,
        cancel_after=random.uniform(0.0, 6.0) if random.random() < 0.15 else None,
        retry_after=random.uniform(1.0, 15.0) if random.random() < 0.1 else None,
    )


def _long_job(random: Random) -> PlannedJob:
    cancel_after = random.uniform(3.0, 20.0) if random.random() < 0.3 else None
    job = replace(_job(random), kind="obey", key=None, lane=None, steps=3, seconds=6.0)
    return replace(job, cancel_after=cancel_after)


def _acts(random: Random) -> tuple[Act, ...]:
    acts: list[Act] = [random.choice(COMMON) for _ in range(random.randint(0, 3))]
    if random.random() < 0.2:
        acts.insert(random.randint(0, len(acts)), random.choice(RARE))
    # Most jobs complete in the end; what kills or blocks its worker for ever is poison.
    if not acts or random.random() < 0.85 or acts[-1] in ("snooze", "outage"):
        acts.append("complete")
    return tuple(acts)


def _fault(random: Random, workers: int) -> Fault:
    # Short ones, and ones that outlast a lease.
    seconds = random.choice([random.uniform(0.01, 1.0), random.uniform(1.0, 12.0),
                             random.uniform(13.0, 25.0)])  # fmt: skip
    at = random.uniform(0.0, 15.0)
    return Fault(at, random.choice(FAULTS), random.randrange(workers), seconds)


def _orders(random: Random) -> list[Order]:
    what: list[Literal["pause", "resume", "resize"]] = ["pause", "pause", "resume", "resize"]
    return [
        Order(random.uniform(0.0, 15.0), random.choice([*QUEUES]), random.choice(what))
        for _ in range(random.choice([0, 0, 1, 2, 4]))
    ]
