"""What must hold after every scenario, once it has become quiet."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tests.chaos.journal import check_journal
from tests.chaos.processes import Process, until
from worker.jobs.states import TERMINAL

if TYPE_CHECKING:
    from tests.chaos.harness import Stack

ENDED = sorted(TERMINAL)
QUIET_SECONDS = 30.0
# The epoch, one wake-up per queue, and the replay of events; all else has to be gone or to expire.
LASTING_KEYS = re.compile(r"arq:epoch|arq:queue:[^:]+(:[^:]+)?:wake|arq:wake:.*|project:.*:events")
MORE_MEMORY = 48 * 2**20
MORE_FILES = 24
DEFECTS = (
    "Traceback", "was never retrieved", "was never awaited", "was destroyed but it is pending",
    "Unclosed", "loop.crashed", "start.crashed", "job.crashed",
)  # fmt: skip


async def check(stack: "Stack", *, effects: bool = True, errors: Collection[str] = ()) -> None:
    """Raise AssertionError unless everything holds.

    `effects`: every job noted `done` once, which a scenario that runs handlers twice cannot ask.
    `errors`: the events that may be logged as errors.
    """
    await check_record(stack)
    await check_journal(stack.pool, [p.pid for p in stack.processes])
    await check_deliveries(stack)
    await check_effects(stack, once=effects)
    await check_quiet_redis(stack)
    for process in stack.processes:
        check_log(process, errors)
        check_usage(process)
    check_ends_logged_once(stack.processes)


async def check_record(stack: "Stack") -> None:
    """Every job has ended, and its counts agree with its history."""
    wrong = await stack.pool.fetch(
        """SELECT j.id, j.kind, j.state, j.attempt, j.failures, j.crashes, h.* FROM jobs j
        CROSS JOIN LATERAL (
            SELECT count(*) AS rows,
                   count(*) FILTER (WHERE outcome IN ('failed', 'timeout')) AS failed,
                   count(*) FILTER (WHERE outcome = 'crashed') AS crashed
            FROM job_attempts a WHERE a.job_id = j.id) h
        WHERE j.state <> ALL ($1::text[]) OR j.failures <> h.failed OR j.crashes <> h.crashed
           OR j.attempt <> h.rows + (j.state = 'completed')::int""",
        ENDED,
    )
    assert not wrong, [dict(row) for row in wrong[:5]]


async def check_deliveries(stack: "Stack") -> None:
    """Every recorded delivery has exactly its jobs, and every acknowledged one is recorded."""
    rows = await stack.pool.fetch(
        """SELECT w.delivery_id, w.processed,
                  ARRAY(SELECT (p->>'id')::uuid FROM jsonb_array_elements(w.jobs) p ORDER BY 1) AS
                  planned,
                  ARRAY(SELECT j.id FROM jobs j WHERE j.delivery_id = w.delivery_id ORDER BY 1) AS
                  jobs
        FROM webhook_events w"""
    )
    odd = [dict(r) for r in rows if r["planned"] != r["jobs"]]
    assert not odd, f"deliveries without exactly their jobs: {odd[:3]}"
    recorded = {r["delivery_id"]: [str(i) for i in r["jobs"]] for r in rows}
    lost = {d: ids for d, ids in stack.acknowledged.items() if recorded.get(d) != sorted(ids)}
    assert not lost, f"acknowledged, and not so in the record: {lost}"
    open_ones = [r["delivery_id"] for r in rows if r["jobs"] and not r["processed"]]
    assert not open_ones, f"not marked as processed: {open_ones[:3]}"


async def check_effects(stack: "Stack", *, once: bool) -> None:
    """Each step's effect happened once a job, under an attempt that owned it."""
    notes = stack.notes()
    twice = [note for note, times in Counter(notes).items() if times > 1]
    assert not twice, f"one attempt ran twice: {twice[:3]}"
    written = Counter((job, s[:-8]) for job, _, s in notes if s.endswith(":written"))
    rows = await stack.pool.fetch(
        "SELECT e.job_id, e.step, j.state FROM chaos_effects e LEFT JOIN jobs j ON j.id = e.job_id"
    )
    there = {(r["job_id"], r["step"]) for r in rows}
    # Whoever was killed between the commit and the note could not note it.
    assert there >= written.keys(), f"noted, and not there: {written.keys() - there}"
    assert all(times == 1 for times in written.values()), written.most_common(3)
    missing = await stack.pool.fetch(
        """SELECT j.id, n FROM jobs j CROSS JOIN generate_series(1, (j.payload->>'steps')::int) n
        WHERE j.kind = 'effects' AND j.state = 'completed'
          AND NOT EXISTS (SELECT FROM chaos_effects e WHERE e.job_id = j.id AND e.step = n::text)"""
    )
    assert not missing, f"completed without its effect: {[tuple(r) for r in missing[:3]]}"
    if once:
        repeated = {i: n for i, n in stack.effects().items() if n != 1}
        assert not repeated, f"done more or less than once: {repeated}"


async def check_quiet_redis(stack: "Stack", timeout: float = QUIET_SECONDS) -> None:
    """Wait until Redis holds no id and no lease."""

    async def nothing_left() -> bool:
        keys = [key async for key in stack.redis.scan_iter("*")]
        left = [k for k in keys if not LASTING_KEYS.fullmatch(k.decode(errors="replace"))]
        lasting = [k for k in left if await stack.redis.ttl(k) == -1]
        assert not lasting, f"left in Redis: {lasting}"
        return True

    await until(nothing_left, timeout)


def check_log(process: Process, errors: Collection[str]) -> None:
    """No exception went unhandled, and nothing was an error but what had to be one."""
    defects = [d for d in DEFECTS if d in process.text]
    assert not defects, f"{defects} in {process.text[-4000:]}"
    logged = {e["event"]: e for e in process.entries() if e["level"] in ("error", "critical")}
    surprising = logged.keys() - set(errors)
    assert not surprising, [logged[event] for event in surprising]


def check_usage(process: Process) -> None:
    """A process that was measured when warm has not grown since."""
    if process.warm is None or process.last is None:
        return
    memory = process.last.memory - process.warm.memory
    assert memory < MORE_MEMORY, f"{process.log.stem} grew by {memory / 2**20:.0f} MB"
    files = process.last.files - process.warm.files
    assert files < MORE_FILES, f"{process.log.stem} has {files} more open files"


def check_ends_logged_once(processes: Iterable[Process]) -> None:
    """No two processes believe that they ended the same job."""
    ends = ("job.completed", "job.dead", "job.cancelled")
    told: Counter[UUID] = Counter()
    for process in processes:
        told.update(UUID(e["job_id"]) for e in process.entries() if e["event"] in ends)
    twice = [str(job_id) for job_id, times in told.items() if times > 1]
    assert not twice, f"ended twice: {twice[:5]}"


def growth(stack: "Stack") -> dict[str, Any]:
    """How the processes grew: name → (MB, files) from warm to last."""
    return {
        p.log.stem: (
            round((p.last.memory - p.warm.memory) / 2**20, 1),
            p.last.files - p.warm.files,
        )
        for p in stack.processes
        if p.warm and p.last
    }
