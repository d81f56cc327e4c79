"""Several worker processes that share GitHub's limits, and one that is killed while it sends."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.chaos.harness import Stack
from tests.chaos.processes import Process, until
from tests.github.fake import App, FakeGitHub, Repository
from tests.github.office import COMMIT, PASSED
from tests.jobs.records import placed
from tests.support import eventually
from worker.github.record import Place
from worker.github.store import ReportStore
from worker.jobs.ledger import Ledger
from worker.jobs.model import NewJob
from worker.jobs.payloads import GithubReport
from worker.jobs.projects import Projects
from worker.jobs.ring import Ring
from worker.jobs.states import State

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]
REPORTS_EACH = 10
START_SECONDS = 90.0


@pytest.fixture
async def stack(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Stack]:
    """A database and a Redis for real processes."""
    async with Stack.opened(database_url, redis_url, tmp_path) as stack:
        yield stack


async def start(stack: Stack, fake: FakeGitHub, app: App, **variables: str) -> Process:
    """A worker that sends reports. It is not waited for."""
    given = {
        "GITHUB_APP_ID": app.id, "GITHUB_APP_PRIVATE_KEY": app.pem, "GITHUB_API_URL": fake.url,
        "WORKER_QUEUES": "github-reports",
    }  # fmt: skip
    return stack.spawn("arq", "tests.github.app.WorkerSettings", **(given | variables))


async def project(stack: Stack, fake: FakeGitHub, app: App, n: int) -> tuple[UUID, Repository]:
    """An enrolled repository on which the App is installed."""
    name = f"example/work{n}"
    enrolled = await Projects(stack.pool).enrol("P", f"https://h/{name}", name, "free", None)
    return enrolled.id, fake.add_repository(name, (COMMIT,), app)


async def evaluated(stack: Stack, project_id: UUID, names: list[str]) -> list[NewJob]:
    """A passed gate, reported under these names, and the jobs that are to send that."""
    job = await placed(stack.pool, State.COMPLETED)
    await stack.pool.execute(
        """INSERT INTO gate_evaluations (job_id, project_id, gate_type, commit_sha, state, verdict,
                                         evaluation, finished_at)
           VALUES ($1, $2, 'lint', $3, 'done', 'pass', $4, now())""",
        job.id, project_id, COMMIT, PASSED,
    )  # fmt: skip
    reports = ReportStore(stack.pool)
    for name in names:
        await reports.begin(Place(project_id, COMMIT, name), job.id)
    payloads: list[dict[str, Any]] = [
        GithubReport(project_id=project_id, commit_sha=COMMIT, name=n).wire() for n in names
    ]
    return [
        NewJob("github-reports", "github_report", p, 6, project_id=project_id) for p in payloads
    ]


async def go(stack: Stack, jobs: list[NewJob]) -> None:
    await Ledger(stack.pool).add(jobs)
    await stack.bell.ring([Ring.of(job) for job in jobs])


async def test_three_workers_break_no_rule_with_three_hundred_reports(
    stack: Stack, fake: FakeGitHub, known_app: App
) -> None:
    workers = [
        await start(stack, fake, known_app, QUEUE_GITHUB_REPORTS_CONCURRENCY="60") for _ in range(3)
    ]
    names = [f"switchyard/gate-{n}" for n in range(REPORTS_EACH)]
    repositories, jobs = [], []
    for n in range(30):
        project_id, repository = await project(stack, fake, known_app, n)
        repositories.append(repository)
        jobs += await evaluated(stack, project_id, names)
    for worker in workers:
        await worker.logged("worker.started", START_SECONDS)
    fake.delay = 0.3
    fake.limits.silence(4, after=200)
    await go(stack, jobs)
    runs = [r.runs for r in repositories]
    await eventually(
        lambda: all(len(find(name)) == 1 for find in runs for name in names), 90, interval=0.1
    )
    assert all(
        run["conclusion"] == "success" for r in repositories for run in r.check_runs.values()
    )
    assert 30 < fake.limits.most_at_once <= 100
    assert fake.limits.refused, "the secondary limit was met"
    assert not fake.limits.violations
    for worker in workers:
        await worker.stop()


async def test_a_worker_killed_while_it_creates_a_check_run_leaves_one(
    stack: Stack, fake: FakeGitHub, known_app: App
) -> None:
    project_id, repository = await project(stack, fake, known_app, 1)
    jobs = await evaluated(stack, project_id, ["switchyard/lint"])
    entered, leave = fake.hold("/check-runs")
    first = await start(stack, fake, known_app, TEST_LEASE_MS="1500")
    await first.logged("worker.started", START_SECONDS)
    await go(stack, jobs)
    await entered.wait()
    await first.kill()
    leave.set()
    await eventually(lambda: repository.check_runs)
    second = await start(stack, fake, known_app, TEST_LEASE_MS="1500")

    async def is_sent() -> bool:
        state = await stack.pool.fetchval("SELECT sent_state FROM github_reports")
        assert state == "completed", second.text[-1500:]
        return True

    await until(is_sent, START_SECONDS)
    [run] = repository.check_runs.values()
    assert (run["status"], run["conclusion"]) == ("completed", "success")
    await second.stop()
