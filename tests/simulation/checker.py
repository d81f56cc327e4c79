"""What must hold of a world when all is done, besides what was watched all along."""

from collections import Counter

import orjson

from tests.simulation.fake_postgres.record import SECOND, Row
from tests.simulation.handlers import Run
from tests.simulation.invariants import short
from tests.simulation.world import MINUTE, World
from worker.jobs.ledger import CRASHES_ALLOWED
from worker.jobs.sla import EVENT as BREACHED
from worker.jobs.states import State

GOOD_ENDS = {State.RUNNING: {"cancelled", "completed"}, State.CANCELLED: {"cancelled"}}
# After its tick, when nothing has been going wrong.
FIRED_WITHIN = 5 * SECOND
# Six seconds for its jobs, and what servers that do not answer are waited for.
STOPPED_WITHIN = 90.0


def check(world: World) -> list[str]:
    """Everything that is wrong with a world that has come to its end."""
    record = world.postgres.record
    for job_id in world.client.acknowledged:
        world.trace.require(job_id in record.jobs, f"{short(job_id)} was acknowledged and is gone")
    for job in record.jobs.values():
        _check_job(world, job)
    _check_events(world)
    _check_ticks(world)
    for worker in world.workers:
        asked = worker.asked_to_stop or world.loop.time()
        late = worker.process.alive and world.loop.time() - asked > STOPPED_WITHIN
        world.trace.require(not late, f"{worker.process.name} did not stop")
        if worker.process.alive and worker.started.done():
            dead = worker.engine.dead_loops() or worker.started.exception()
            world.trace.require(not dead, f"loops of {worker.process.name} ended: {dead}")
    return world.trace.problems


def _check_job(world: World, job: Row) -> None:
    name = f"{short(job['id'])} ({job['state']} at attempt {job['attempt']})"
    require = world.trace.require
    runs = [r for r in world.runs if r.job.id == job["id"]]
    if job["id"] not in world.client.retried:
        _check_history(world, job, name)
    if job["state"] == "completed":
        _check_completed(world, job, runs, name)
    require(job["failures"] <= job["max_attempts"], f"{name} failed too often")
    require(job["crashes"] <= CRASHES_ALLOWED, f"{name} crashed too often")
    again = [a for a, n in Counter(r.job.attempt for r in runs).items() if n > 1]
    require(not again, f"{name}: attempts {again} ran more than once")
    for run in runs:
        _check_kept(world, run, name)
    _check_failures(world, job, runs, name)
    _check_lane(world, job, name)
    answered = world.client.cancelled.get(job["id"])
    if answered is not None:
        require(job["state"] in GOOD_ENDS[answered], f"{name} was {answered} when cancelled")


def _check_history(world: World, job: Row, name: str) -> None:
    history = [a for k, a in world.postgres.record.attempts.items() if k[0] == job["id"]]
    outcomes = Counter(a["outcome"] for a in history)
    require = world.trace.require
    failed = outcomes["failed"] + outcomes["timeout"]
    require(
        failed == job["failures"], f"{name}: {failed} failures noted, {job['failures']} counted"
    )
    require(outcomes["crashed"] == job["crashes"], f"{name}: crashes noted and counted differ")
    ended = len(history) + (job["state"] == "completed")
    require(ended == job["attempt"], f"{name}: {ended} ends are known")


def _check_kept(world: World, run: Run, name: str) -> None:
    """What a handler has completed is not thrown away by a process that lives."""
    noted = world.postgres.record.attempts.get((run.job.id, run.job.attempt))
    if run.answer != "Completed" or noted is None or run.ignores_its_end:
        return
    lost = run.process.alive and noted["outcome"] in ("released", "snoozed", "failed")
    world.trace.require(not lost, f"{name}: completed attempt {run.job.attempt} was thrown away")


def _check_failures(world: World, job: Row, runs: list[Run], name: str) -> None:
    """An attempt counts as failed only if its handler did fail."""
    well = {r.job.attempt for r in runs if r.answer in ("Completed", "Snooze", "Cancel")}
    begun = {r.job.attempt for r in runs}
    for (job_id, attempt), noted in world.postgres.record.attempts.items():
        if job_id == job["id"] and noted["outcome"] == "failed":
            failed = attempt in begun and attempt not in well
            world.trace.require(failed, f"{name}: attempt {attempt} counts as failed: {noted}")


def _check_lane(world: World, job: Row, name: str) -> None:
    """Only what is older than another job of its lane gives way, and to such a one."""
    if job["state"] != "superseded":
        return
    newer = world.postgres.record.jobs[job["superseded_by"]]
    right = newer["lane"] == job["lane"] and newer["lane_order"] > job["lane_order"]
    world.trace.require(right, f"{name} gave way to {short(newer['id'])}, which is not newer")


def _check_completed(world: World, job: Row, runs: list[Run], name: str) -> None:
    last = [r for r in runs if r.job.attempt == job["attempt"]]
    require = world.trace.require
    require([r.answer for r in last] == ["Completed"], f"{name}: its handler did not complete")
    planned = world.planned(job["id"])
    missing = [s for s in range(planned.steps) if (job["id"], s) not in world.effects.done]
    require(not missing, f"{name}: effects {missing} are missing")


def _check_events(world: World) -> None:
    breaches = Counter(
        e["job_id"] for e in world.postgres.record.events.values() if e["event"] == BREACHED
    )
    twice = [short(i) for i, n in breaches.items() if n > 1 and i not in world.client.retried]
    world.trace.require(not twice, f"told more than once of the SLA of {twice}")
    published = b"\n".join(message for _, _, message in world.redis.published)
    _check_progress(world)
    for event in world.postgres.record.events.values():
        told = str(event["id"]).encode() in published
        world.trace.require(told, f"event {event['event']} was never sent")


def _check_progress(world: World) -> None:
    """An attempt's progress is shown at most four times a second."""
    shown: dict[str, list[float]] = {}
    for time, _, message in world.redis.published:
        if b'"job_progress"' in message:
            shown.setdefault(orjson.loads(message)["payload"]["jobId"], []).append(time)
    for job_id, times in shown.items():
        for first in times:
            # What the way has held up may come when its run is over.
            runs = max(1, sum(_overlaps(r, job_id, first) for r in world.runs))
            lately = sum(first <= t < first + 0.99 for t in times)
            world.trace.require(lately <= 4 * runs, f"…{job_id[-6:]}: {lately} reports in a second")


def _overlaps(run: Run, job_id: str, since: float) -> bool:
    """Whether the run may have had something to say in the second from then on."""
    ended = float("inf") if run.ended is None else run.ended
    return str(run.job.id) == job_id and run.began < since + 1.0 and ended > since - 1.0


def _check_ticks(world: World) -> None:
    """Every tick has one job; what catches up has every tick."""
    record, require = world.postgres.record, world.trace.require
    ticked = {t["job_id"] for t in record.ticks.values()}
    made = {j["id"] for j in record.jobs.values() if j["dedupe_key"].startswith("schedule:")}
    require(ticked == made, f"ticks without a job of their own: {ticked ^ made}")
    for schedule in record.schedules.values():
        require(schedule["enabled"], f"{schedule['name']} was disabled")
        fired = sorted(t for name, t in record.ticks if name == schedule["name"])
        if schedule["missed"] == "catch_up" and fired:
            every = range(fired[0], record.now - FIRED_WITHIN, MINUTE)
            missed = [tick for tick in every if tick not in fired]
            require(not missed, f"{schedule['name']} missed {missed}")
