"""What holds a job, in words for people and in fields for programs."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from worker.jobs.situation import Situation
from worker.jobs.standing import Held, Place, Standing
from worker.jobs.states import TERMINAL, State
from worker.jobs.views import View

# What a reconciler needs at most: a second's grace and a tick; or until it repeats a ring.
RUNG_WITHIN_SECONDS = 3.0
RUNG_AGAIN_SECONDS = 32.0

Code = Literal[
    "ended", "running", "cancel_requested", "worker_lost", "paused", "no_worker", "not_due",
    "redis_unavailable", "not_rung", "misplaced", "claimed", "given_back", "rate_limited",
    "key_limited", "organisation_limited", "behind", "next",
]  # fmt: skip


class Holder(View):
    """A job that runs in a place that another one waits for."""

    job_id: UUID
    worker: str | None
    since: datetime | None


class Reason(View):
    """Why a job does not run; a field that has no meaning for the code is left out.

    `seconds` is how long until then, `ahead` how many of its own organisation or project come
    first, `tenantsAhead` how many of the `tenants` that wait have their turn before.
    """

    code: Code
    message: str
    since: datetime | None = None
    until: datetime | None = None
    seconds: float | None = None
    reason: str | None = None
    worker: str | None = None
    attempt: int | None = None
    key: str | None = None
    organisation: str | None = None
    limit: int | None = None
    per_seconds: float | None = None
    holders: list[Holder] | None = None
    ahead: int | None = None
    tenants_ahead: int | None = None
    tenants: int | None = None
    free_slots: int | None = None


def from_record(at: Situation) -> Iterator[Reason]:
    """What the record alone tells, most decisive first."""
    if at.job["state"] in TERMINAL:
        yield _ended(at.job)
    elif at.job["state"] == State.RUNNING:
        yield from _running(at.job)
    if at.is_waiting:
        yield from _paused(at)
        yield from _no_worker(at)
        if not at.is_due:
            yield _not_due(at.job)


def from_redis(at: Situation, standing: Standing) -> Iterator[Reason]:
    """What its place in Redis adds, for a job that waits and is due."""
    spot = standing.spot
    if spot.is_leased:
        yield _claimed(standing)
    elif spot.is_delayed:
        yield _given_back(at, spot.seconds)
    elif spot.place is Place.UNKNOWN:
        yield _not_rung(at)
    elif spot.place in (Place.STRANDED, Place.NOWHERE):
        told = f"Redis knows it, and has it where no worker looks ({spot.place}): run the audit"
        yield _reason("misplaced", told)
    else:
        limits = [*_rate(at, standing), *_key(at, standing), *_organisation(at, standing)]
        yield from limits
        if spot.place is not Place.PARKED:
            yield from _turn(at, standing, bool(limits))


def unavailable(problem: str) -> Reason:
    """That Redis could not be asked."""
    return _reason("redis_unavailable", f"Redis cannot be asked for its place: {problem}")


def _reason(code: Code, message: str, **fields: Any) -> Reason:
    given = {name: value for name, value in fields.items() if value is not None}
    return Reason(code=code, message=message, **given)


def _ended(job: asyncpg.Record) -> Reason:
    by = f" by {job['superseded_by']}" if job["superseded_by"] else ""
    why = f": {job['error']}" if job["error"] else ""
    return _reason("ended", f"it has ended: {job['state']}{by}{why}", since=job["finished_at"])


def _running(job: asyncpg.Record) -> Iterator[Reason]:
    worker, attempt = job["worker"], job["attempt"]
    if job["lost"]:
        seen = job["last_seen"]
        when = f"was last heard of at {seen:%H:%M:%S} UTC" if seen else "is gone"
        told = f"its worker {worker} {when}; it runs again as soon as another one takes it"
        yield _reason("worker_lost", told, worker=worker, attempt=attempt, since=seen)
    else:
        told, since = f"it runs: attempt {attempt} on {worker}", job["started_at"]
        yield _reason("running", told, worker=worker, attempt=attempt, since=since)
    if job["cancel_requested_at"]:
        why, since = job["cancel_reason"], job["cancel_requested_at"]
        yield _reason("cancel_requested", f"it was asked to end: {why}", reason=why, since=since)


def _paused(at: Situation) -> Iterator[Reason]:
    if at.is_paused and at.control:
        why = at.control.paused_reason
        told = f"its queue {at.job['queue']} is paused" + (f": {why}" if why else "")
        yield _reason("paused", told, reason=why, since=at.control.paused_at)


def _no_worker(at: Situation) -> Iterator[Reason]:
    queue, kind, workers = at.job["queue"], at.job["kind"], at.serving
    if not workers:
        yield _reason("no_worker", f"no live worker serves its queue {queue}")
    elif not at.able:
        told = f"{len(workers)} live workers serve its queue {queue}, and none knows the kind"
        yield _reason("no_worker", f"{told} {kind}")


def _not_due(job: asyncpg.Record) -> Reason:
    seconds, why = job["due_in"], job["message"]
    told = f"it is due in {seconds:.1f} s"
    if job["state"] == State.RETRYING and job["outcome"]:
        told = f"attempt {job['attempt']} ended as {job['outcome']} ({why}); the next {told[3:]}"
    return _reason("not_due", told, until=job["run_at"], seconds=seconds, reason=why)


def _claimed(standing: Standing) -> Reason:
    worker = standing.token.rpartition(":")[0]
    return _reason("claimed", f"worker {worker} is about to start it", worker=worker)


def _given_back(at: Situation, seconds: float) -> Reason:
    told = f"it may be claimed in {seconds:.1f} s; until then a worker has set it aside"
    return _reason("given_back", told, seconds=seconds, until=at.after(seconds))


def _not_rung(at: Situation) -> Reason:
    ago = at.job["rung_ago"]
    within = RUNG_WITHIN_SECONDS if ago is None else max(1.0, RUNG_AGAIN_SECONDS - ago)
    told = f"it is in the record and not in Redis; a worker rings it within {within:.0f} s"
    return _reason("not_rung", told, seconds=within, until=at.after(within))


def _rate(at: Situation, standing: Standing) -> Iterator[Reason]:
    rate, seconds = at.policy and at.policy.rate, standing.next_start
    if rate and seconds > 0:
        told = f"its queue starts at most {rate.count} jobs in {rate.seconds:g} s;"
        told += f" the next slot is in {seconds:.1f} s"
        yield _reason("rate_limited", told, limit=rate.count, per_seconds=rate.seconds,
                      seconds=seconds, until=at.after(seconds))  # fmt: skip


def _key(at: Situation, standing: Standing) -> Iterator[Reason]:
    key, limit = standing.key, at.policy.per_key if at.policy else None
    parked = standing.spot.place is Place.PARKED
    if parked or (limit and key.name and key.running >= limit):
        told = f"{_running_of(key, limit)} with the key {key.name}{_names(key)}"
        ahead = standing.ahead if parked else None
        yield _reason("key_limited", told, key=key.name, limit=limit, ahead=ahead,
                      holders=_holders(at, key))  # fmt: skip


def _organisation(at: Situation, standing: Standing) -> Iterator[Reason]:
    tenant, limit = standing.tenant, at.policy.per_organisation if at.policy else None
    if limit and tenant.name and tenant.running >= limit:
        told = f"{_running_of(tenant, limit)} of {tenant.name}{_names(tenant)}"
        yield _reason("organisation_limited", told, organisation=tenant.name, limit=limit,
                      holders=_holders(at, tenant))  # fmt: skip


def _turn(at: Situation, standing: Standing, limited: bool) -> Iterator[Reason]:
    ahead, turn, free = standing.ahead or 0, standing.turn or 0, at.free_slots
    position = {"ahead": standing.ahead, "tenants_ahead": standing.turn,
                "tenants": standing.tenants, "free_slots": free}  # fmt: skip
    if ahead or turn or not free:
        told = f"{ahead} of its own come first, {turn} others have their turn before, "
        yield _reason("behind", f"{told}and {free} slots are free", **position)
    elif not limited and at.able and not at.is_paused:
        yield _reason("next", "nothing: a worker takes it any moment", **position)


def _running_of(held: Held, limit: int | None) -> str:
    return f"{held.running} jobs run" + (f", of at most {limit}," if limit else "")


def _names(held: Held) -> str:
    more = " and more" if held.running > len(held.ids) else ""
    return f": {', '.join(map(str, held.ids))}{more}" if held.ids else ""


def _holders(at: Situation, held: Held) -> list[Holder]:
    rows = ((i, at.holders.get(i)) for i in held.ids)
    return [
        Holder(job_id=i, worker=row["worker"] if row else None,
               since=row["started_at"] if row else None)
        for i, row in rows
    ]  # fmt: skip
