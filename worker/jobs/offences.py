"""What a census may find: work that is not being done and will not be, and what to do about it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import Field

from worker.jobs.paging import Wanted
from worker.jobs.standing import Place, Spot
from worker.jobs.states import State
from worker.jobs.views import View

Kind = Literal[
    "delivery_without_jobs", "job_not_in_redis", "job_misplaced", "job_without_lease",
    "id_without_job",
]  # fmt: skip
KINDS: Sequence[Kind] = get_args(Kind)

# An id that should be ready, and is delayed: a worker gives one back for five seconds at most.
LONGEST_DELAY_SECONDS = 60.0
# More would be no list to look at; and memory has to end somewhere.
MOST_SUSPECTS = 10_000

REMEDIES: dict[Kind, str] = {
    "delivery_without_jobs": "push again or add its job by hand, then set closed_at of its row in"
    " webhook_events; find out who deletes jobs",
    "job_not_in_redis": "a worker's reconciler should have rung it: start a worker, or look for"
    " reconcile.failed in the logs of those that run",
    "job_misplaced": "a worker's census takes it out of Redis within two minutes, and its"
    " reconciler rings it anew; tell us, as this is a defect",
    "job_without_lease": "its worker should renew the lease, or another one take it over: look for"
    " lease.renewal_failed and worker.beat_failed",
    "id_without_job": "nothing, if a worker runs: its census takes the id out within two minutes",
}


class AuditQuery(Wanted):
    """How many of what is not accounted for to name."""

    limit: Annotated[int, Field(ge=0, le=1000, description="how many to name")] = 100


class Offence(View):
    """One thing that is not accounted for. `id` is that of a delivery or of a job."""

    kind: Kind
    id: str
    message: str
    remedy: str
    since: datetime | None
    queue: str | None = None


class Census(View):
    """What was looked at, and what of it is not accounted for: `counts` in all, the first by name.

    `problem` tells why not everything could be looked at; then it is not clean either.
    """

    clean: bool
    at: datetime
    seconds: float
    deliveries: int = Field(description="deliveries looked at: those not known to be done with")
    jobs: int = Field(description="jobs looked at that are due or run")
    ids: int = Field(description="ids looked at in Redis")
    counts: dict[Kind, int]
    offenders: list[Offence]
    problem: str = ""


def offence(
    kind: Kind, name: object, message: str, since: datetime | None, queue: str | None = None
) -> Offence:
    """An offence with its remedy."""
    of_queue = {} if queue is None else {"queue": queue}
    return Offence(
        kind=kind, id=str(name), message=message, remedy=REMEDIES[kind], since=since, **of_queue
    )


def kind_of(state: str, spot: Spot) -> Kind | None:
    """What is wrong with a job in this state that is at this place in Redis; None: nothing."""
    if spot.place is Place.UNKNOWN:
        return "job_without_lease" if state == State.RUNNING else "job_not_in_redis"
    delayed = spot.place is Place.TIMED and spot.seconds > LONGEST_DELAY_SECONDS
    if delayed or spot.place in (Place.STRANDED, Place.NOWHERE):
        return "job_misplaced"
    return None


@dataclass(slots=True)
class Suspect:
    """What looks lost at first sight. `attempt` and `state` are those of a job."""

    kind: Kind
    id: str
    queue: str
    since: datetime | None
    message: str
    attempt: int = 0
    state: str = ""

    @property
    def offence(self) -> Offence:
        """It is lost indeed."""
        return offence(self.kind, self.id, self.message, self.since, self.queue)


@dataclass(slots=True)
class Tally:
    """What a census has seen so far; of offences the first `limit`."""

    limit: int
    seen: Counter[str] = field(default_factory=Counter)
    counts: Counter[Kind] = field(default_factory=Counter)
    offenders: list[Offence] = field(default_factory=list)
    suspects: list[Suspect] = field(default_factory=list)
    queues: set[str] = field(default_factory=set)
    problem: str = ""

    def add(self, found: Offence) -> None:
        """Count an offence, and keep it if there is room."""
        self.counts[found.kind] += 1
        if len(self.offenders) < self.limit:
            self.offenders.append(found)

    def suspect(self, found: Iterable[Suspect]) -> bool:
        """Remember suspects; answers whether there is room for more."""
        self.suspects += found
        if len(self.suspects) >= MOST_SUSPECTS:
            self.problem = f"there are more than {MOST_SUSPECTS} suspects, and not all were counted"
        return len(self.suspects) < MOST_SUSPECTS
