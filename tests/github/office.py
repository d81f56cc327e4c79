"""A project whose reports go to the fake GitHub, and the record that they tell of."""

import itertools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis

from tests.github.fake import App, FakeGitHub, Repository
from tests.handlers.scanning import opened
from tests.jobs.records import placed
from worker.credentials import Cipher, Credentials, CredentialStore
from worker.database.pool import Pool
from worker.git import Mirrors
from worker.github.api import GitHub
from worker.github.logins import AppLogin, GitHubLogin, TokenLogin
from worker.github.missing import MissedDeliveries
from worker.github.record import Claim, Place
from worker.handlers.context import Context, Resources
from worker.handlers.github_report import github_report
from worker.jobs.ids import new_id
from worker.jobs.model import Outcome, Project, StartedJob
from worker.jobs.payloads import GithubReport
from worker.jobs.projects import Projects
from worker.jobs.states import State

_NUMBERS = itertools.count(1)
COMMIT = "c" * 40
GATE, CONFLICTS = "switchyard/unit-tests", "switchyard/conflicts"
PASSED = {"gateType": "unit-tests", "verdict": "pass", "reason": "All 3 tests passed."}


@dataclass
class Office:
    """One enrolled project, and the surroundings of a handler."""

    pool: Pool
    redis: ArqRedis
    fake: FakeGitHub
    app: App
    project: Project
    repository: Repository
    resources: Resources
    opened: list[GitHub] = field(default_factory=list)

    @classmethod
    async def furnished(cls, pool: Pool, redis: ArqRedis, fake: FakeGitHub, root: Path) -> "Office":
        """A new project; the App of the fake is installed on its repository."""
        app = next(iter(fake.company.apps.values()), None) or fake.add_app()
        project, repository = await _enrolled(pool, fake, app)
        plain = opened(pool, redis, Mirrors(root, protocols=["https"]))
        office = cls(pool, redis, fake, app, project, repository, plain, [plain.github])
        office.log_in(AppLogin(app.id, app.pem))
        return office

    async def neighbour(self) -> "Office":
        """Another project with the same surroundings."""
        project, repository = await _enrolled(self.pool, self.fake, self.app)
        return replace(self, project=project, repository=repository)

    def log_in(self, *logins: GitHubLogin) -> None:
        """From now on the product has these logins, and knows no token of theirs yet."""
        github = GitHub(self.redis, self.fake.url)
        credentials = Credentials(
            CredentialStore(self.pool), Cipher([]), environment=logins, api_url=self.fake.url,
            installation_token=github.installation_token,
        )  # fmt: skip
        self.opened.append(github)
        missed = MissedDeliveries(github, credentials, self.pool, self.redis)
        self.resources = replace(
            self.resources, github=github, credentials=credentials, missed_deliveries=missed
        )

    def log_in_with_token(self) -> None:
        """From now on there is a person's token, and no App."""
        self.fake.company.personal.add("ghp_secret")
        self.log_in(TokenLogin("ghp_secret"))

    async def close(self) -> None:
        """Close every connection."""
        for github in self.opened:
            await github.close()

    async def job(self, state: State = State.RUNNING, **fields: Any) -> UUID:
        """A gate's job in that state, with the report on it begun."""
        fields = {"queue": "gate-evaluation", "kind": "gate_evaluation"} | fields
        job = await placed(self.pool, state, **fields)
        await self.pool.execute(
            "UPDATE jobs SET project_id = $2 WHERE id = $1", job.id, self.project.id
        )
        return job.id

    async def becomes(self, job_id: UUID, state: State, error: str | None = None) -> None:
        """Put the job into another state by hand."""
        await self.pool.execute(
            """UPDATE jobs SET state = $2::text, error = $3, worker = NULL, claim = NULL,
                   finished_at = CASE WHEN $2 IN ('completed', 'dead', 'cancelled', 'superseded')
                                      THEN now() END,
                   superseded_by = CASE WHEN $2 = 'superseded' THEN id END
               WHERE id = $1""",
            job_id, state.value, error,
        )  # fmt: skip

    async def begun(self, state: State = State.RUNNING, name: str = GATE, **fields: Any) -> UUID:
        """A job whose report has begun."""
        job_id = await self.job(state, **fields)
        await self.begin(job_id, name)
        return job_id

    async def begin(self, job_id: UUID, name: str = GATE) -> None:
        """The job says that it begins."""
        context = self.context(job_id)
        await context.reports.begin(self.project.id, COMMIT, name, job_id)

    async def start_report(self, job_id: UUID, name: str) -> None:
        """The report begins, and no job is to send it."""
        place = Place(self.project.id, COMMIT, name)
        await self.resources.github_reports.begin(place, job_id)

    async def evaluated(
        self, job_id: UUID, state: str = "done", sender: str | None = None, **evaluation: Any
    ) -> None:
        """The gate's evaluation is recorded: passed, unless these fields say otherwise."""
        found = PASSED | evaluation
        await self.pool.execute(
            """INSERT INTO gate_evaluations (job_id, project_id, gate_type, commit_sha, state,
                                             verdict, evaluation, sender, finished_at)
               VALUES ($1, $2, 'unit-tests', $3, $4::text, $5::text, $6, $7,
                       CASE WHEN $5 IS NOT NULL THEN now() END)""",
            job_id, self.project.id, COMMIT, state, found["verdict"] if state == "done" else None,
            found, sender,
        )  # fmt: skip

    async def send(self, name: str = GATE, job_id: UUID | None = None, attempt: int = 1) -> Outcome:
        """Run the handler that brings the report up to date."""
        payload = GithubReport(project_id=self.project.id, commit_sha=COMMIT, name=name)
        return await github_report(payload, self.context(job_id or new_id(), attempt))

    async def claim(self, name: str = GATE) -> Claim:
        """Begin to send the report, and get no further."""
        place = Place(self.project.id, COMMIT, name)
        claim = await self.resources.github_reports.claim(place, new_id(), 1)
        assert claim is not None
        return claim

    def context(self, job_id: UUID, attempt: int = 1) -> Context:
        """The surroundings of an attempt."""
        job = StartedJob(
            id=job_id, queue="github-reports", kind="github_report", payload={}, attempt=attempt,
            failures=0, max_attempts=6, project_id=self.project.id, delivery_id=None,
            correlation_id=None, waited=0.0, token="t", worker="w", project=self.project,
        )  # fmt: skip
        return self.resources.context(job, lambda percent, message="": None)

    async def row(self, name: str = GATE) -> dict[str, Any]:
        """What is recorded of the report."""
        [row] = await self.pool.fetch(
            "SELECT * FROM github_reports WHERE project_id = $1 AND name = $2",
            self.project.id, name,
        )  # fmt: skip
        return dict(row)

    def runs(self, name: str = GATE) -> list[tuple[str, str | None]]:
        """The check runs at GitHub: status and conclusion, in order."""
        return [(r["status"], r["conclusion"]) for r in self.repository.runs(name)]

    def run(self, name: str = GATE) -> dict[str, Any]:
        """The only check run."""
        [run] = self.repository.runs(name)
        return run

    def statuses(self, name: str = GATE) -> list[tuple[str, str]]:
        """The statuses at GitHub: state and description, in order."""
        there = self.repository.statuses.get(COMMIT, [])[::-1]
        return [(s["state"], s["description"]) for s in there if s["context"] == name]


async def _enrolled(pool: Pool, fake: FakeGitHub, app: App) -> tuple[Project, Repository]:
    name = f"example/office{next(_NUMBERS)}"
    repository = fake.add_repository(name, (COMMIT,), app)
    url = f"https://github.example/{name}.git"
    return await Projects(pool).enrol("P", url, name, "free", None), repository
