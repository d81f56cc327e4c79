"""From a pushed document to the annotation at its line: with the handlers that find it out."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from tests.github.fake import App, FakeGitHub, Repository
from tests.handlers.scanning import Scanner, story
from worker.credentials import Cipher, Credentials, CredentialStore
from worker.database.pool import Pool
from worker.github.api import GitHub
from worker.github.logins import AppLogin
from worker.handlers.github_report import github_report
from worker.jobs.ids import new_id
from worker.jobs.model import Completed
from worker.jobs.payloads import GithubReport
from worker.jobs.projects import Projects

PATH = "docs/stories/1.1.story.md"
OPEN = "- [x] Task 1: Do it (AC: 1)\n- [x] Task 2: Do more (AC: 1)\n- [ ] Task 3: Rest (AC: 1)"


@pytest.fixture
async def scanner(
    pool: Pool, redis: ArqRedis, fake: FakeGitHub, known_app: App, tmp_path: Path
) -> AsyncIterator[Scanner]:
    """A project to scan, whose reports go to the fake GitHub."""
    scanner = await Scanner.enrolled(pool, redis, tmp_path)
    github = GitHub(redis, fake.url)
    credentials = Credentials(
        CredentialStore(pool), Cipher([]), api_url=fake.url,
        environment=[AppLogin(known_app.id, known_app.pem)],
    )  # fmt: skip
    before, scanner.resources = (
        scanner.resources,
        replace(scanner.resources, github=github, credentials=credentials),
    )
    yield scanner
    await scanner.resources.close()
    await before.github.close()


@pytest.fixture
async def repository(scanner: Scanner, fake: FakeGitHub, known_app: App) -> Repository:
    """The same project at GitHub."""
    project = await Projects(scanner.pool).get(scanner.project_id)
    return fake.add_repository(project.repository, (), known_app)


async def report(scanner: Scanner) -> None:
    """Run the jobs that the comparison asked for, in order."""
    rows = await scanner.pool.fetch(
        "SELECT id, payload FROM jobs WHERE kind = 'github_report' ORDER BY id"
    )
    assert rows
    for row in rows:
        payload = GithubReport.model_validate(row["payload"])
        assert isinstance(await github_report(payload, await scanner.context(row["id"])), Completed)
    await scanner.pool.execute("DELETE FROM jobs")


async def test_a_contradiction_is_shown_at_both_lines_and_goes_away(
    scanner: Scanner, repository: Repository
) -> None:
    document = story("1.1", "Done", OPEN)
    first = scanner.origin.commit({PATH: document})
    second = scanner.origin.commit({PATH: document.replace(b"[ ]", b"[x]")}, onto=first)
    repository.commits |= {first, second}
    lines = document.decode().splitlines()
    for commit in (first, second):
        await scanner.scan(commit)
        await scanner.compare(job_id=new_id())
        await report(scanner)
    broken, mended = repository.runs("switchyard/conflicts")
    assert (broken["head_sha"], broken["conclusion"]) == (first, "failure")
    assert (mended["head_sha"], mended["conclusion"]) == (second, "success")
    places = [(a["path"], a["start_line"]) for a in broken["annotations"]]
    done, open_task = lines.index("Done") + 1, lines.index("- [ ] Task 3: Rest (AC: 1)") + 1
    assert places == [(PATH, done), (PATH, open_task)]
    for annotation in broken["annotations"]:
        assert f"{PATH}:{done}: Done\n" in annotation["message"]
        assert re.search(rf"{PATH}:{open_task}: .*Rest", annotation["message"])
