"""Whatever becomes of a job, GitHub is told: through the real engine and ledger."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from tests.chaos.processes import until
from tests.github.app import NAME, QUEUES, REGISTRY
from tests.github.office import COMMIT, Office
from tests.support import eventually
from worker.engine.engine import Engine
from worker.jobs.cancelling import Cancelling
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.payload_base import Payload
from worker.jobs.payloads import GateEvaluation, ReportSweep
from worker.jobs.ring import Bell, Ring


@pytest.fixture
async def engine(office: Office) -> AsyncIterator[Engine]:
    """A worker in this process."""
    engine = Engine(
        pool=office.pool, redis=office.redis, queues=QUEUES, registry=REGISTRY,
        make_context=office.resources.context,
    )  # fmt: skip
    await engine.start()
    yield engine
    await engine.stop(5.0)


async def add(office: Office, kind: str, payload: Payload, **fields: object) -> UUID:
    """Record a job and ring it."""
    queue = next(q.name for q in QUEUES.values() if kind in q.kinds)
    attempts = QUEUES[queue].attempts
    job = NewJob(queue, kind, payload.wire(), attempts, **fields)  # type: ignore[arg-type]
    await Ledger(office.pool).add([job])
    await Bell(office.redis).ring([Ring.of(job)])
    return job.id


async def gate(office: Office, ending: str) -> UUID:
    """A gate's job that ends so."""
    payload = GateEvaluation(
        project_id=office.project.id, gate_type="lint", commit_sha=COMMIT, story_id=ending
    )
    return await add(office, "gate_evaluation", payload, project_id=office.project.id)


async def sweep(office: Office) -> None:
    """What the schedule does every minute, when its minute has come."""
    await office.pool.execute("UPDATE github_reports SET updated_at = now() - interval '1 min'")
    await add(office, "report_sweep", ReportSweep())


async def ends(office: Office, job_id: UUID, state: str) -> None:
    async def there() -> bool:
        row = await office.pool.fetchrow("SELECT state, error FROM jobs WHERE id = $1", job_id)
        assert row is not None
        assert row["state"] == state, dict(row)
        return True

    await until(there)


def shows(office: Office, *expected: tuple[str, str | None]) -> bool:
    assert office.runs(NAME) == list(expected)
    return True


async def test_a_verdict_arrives_within_moments(office: Office, engine: Engine) -> None:
    await gate(office, "pass")
    await eventually(lambda: shows(office, ("completed", "success")))


async def test_a_job_cancelled_while_it_runs(office: Office, engine: Engine) -> None:
    job_id = await gate(office, "wait")
    await eventually(lambda: shows(office, ("in_progress", None)))
    await Cancelling(office.pool, office.redis).cancel(job_id, "nobody needs it")
    await ends(office, job_id, "cancelled")
    await sweep(office)
    await eventually(lambda: shows(office, ("completed", "cancelled")))
    assert office.run(NAME)["output"]["summary"] == "nobody needs it"


async def test_a_job_that_dies(office: Office, engine: Engine) -> None:
    job_id = await gate(office, "die")
    await ends(office, job_id, "dead")
    await sweep(office)
    await eventually(lambda: shows(office, ("completed", "failure")))
    assert office.run(NAME)["output"]["title"] == "could not be evaluated: as ordered"


async def test_a_job_whose_report_nobody_could_send(office: Office, engine: Engine) -> None:
    office.fake.mishap = lambda method, path: "fail"
    job_id = await gate(office, "pass")
    await ends(office, job_id, "completed")

    async def all_dead() -> bool:
        states = await office.pool.fetch(
            "SELECT state FROM jobs WHERE kind = 'github_report' AND state <> 'dead'"
        )
        return not states

    await until(all_dead, 20)
    assert "502" in (await office.row(NAME))["problem"]
    office.fake.mishap = lambda method, path: None
    assert await office.resources.github_reports.overdue(10) == [], "it rests"
    await office.pool.execute("UPDATE github_reports SET updated_at = now() - interval '11 min'")
    await add(office, "report_sweep", ReportSweep())
    await eventually(lambda: shows(office, ("completed", "success")))


async def test_a_sweep_asks_once_and_leaves_alone_what_is_being_sent(office: Office) -> None:
    job_id = await office.begun()
    reports = office.context(job_id).reports
    await office.pool.execute("UPDATE github_reports SET updated_at = now() - interval '1 min'")
    assert await reports.sweep() == 0, "its job runs"
    await office.pool.execute("DELETE FROM jobs WHERE id = $1", job_id)
    assert await reports.sweep() == 1
    assert await reports.sweep() == 0, "a job is to send it"
    for minutes, asked in ((9, 0), (11, 1)):
        await office.pool.execute(
            """UPDATE jobs SET state = 'dead', finished_at = now() - make_interval(mins => $1)
               WHERE kind = 'github_report'""",
            minutes,
        )
        assert await reports.sweep() == asked, "it rests for ten minutes"
    await office.send()
    await office.pool.execute("UPDATE github_reports SET updated_at = now() - interval '1 min'")
    assert await reports.sweep() == 0


async def test_many_reports_of_a_login_that_may_ask_little(office: Office, engine: Engine) -> None:
    office.fake.limits.requests, office.fake.limits.hour = 8, 1.5
    names = [f"switchyard/gate-{n}" for n in range(14)]
    job_id = await office.job()
    await office.evaluated(job_id)
    for name in names:
        await office.begin(job_id, name)
    await eventually(
        lambda: all(office.runs(name) == [("completed", "success")] for name in names), 40
    )


async def test_old_reports_are_forgotten(office: Office) -> None:
    await office.begun()
    store = office.resources.github_reports
    assert await store.forget(30) == 0
    await office.pool.execute("UPDATE github_reports SET updated_at = now() - interval '31 d'")
    assert await store.forget(30) == 1
