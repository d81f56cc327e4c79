"""Deliveries over HTTP: every event, repeats, redeliveries, and what the record holds then."""

import asyncio

import pytest
from redis.asyncio import Redis

from tests.deliveries import NAMES, load
from tests.support import eventually
from tests.webhooks.service import Service, fresh, from_repository, guid_of, serving
from webhooks.github import intake
from worker.jobs.ring import queue_keys

SCANS = {
    "push_branch": "main",
    "push_branch_with_slashes": "feature/tides/northern-basin",
    "push_branch_dash_x": "-x",
    "push_new_branch": "story-6",
    "push_force": "main",
    "push_empty_commits": "release",
    "push_bot": "quay-updater/tide-table-2025.3",
}
IGNORED = {
    "push_deleted_branch": "branch_deleted",
    "push_tag": "tag_push",
    "unknown_event": "unknown_event",
    "repository_renamed": "unhandled_action",
    "repository_unknown_action": "unhandled_action",
}


def test_every_recorded_delivery_is_tested_here() -> None:
    assert set(NAMES) == {*SCANS, *IGNORED, "ping"}


@pytest.mark.parametrize(("name", "branch"), SCANS.items())
async def test_a_push_becomes_a_row_and_a_job(service: Service, name: str, branch: str) -> None:
    recorded = fresh(name)
    answer = await service.deliver(recorded)
    guid = guid_of(recorded)
    [job] = await service.rows("SELECT * FROM jobs WHERE delivery_id = $1", guid)
    [row] = await service.rows("SELECT * FROM webhook_events WHERE delivery_id = $1", guid)
    assert answer.status == 202
    assert answer.body == {
        "accepted": True,
        "deliveryId": guid,
        "jobs": [{"id": str(job["id"]), "queue": "artifact-scan"}],
    }
    assert (job["state"], job["kind"], job["priority"]) == ("queued", "artifact_scan", 10)
    assert (job["correlation_id"], job["org_id"]) == (guid, "org-1")
    assert job["payload"]["branch"] == branch
    assert job["payload"]["repoUrl"] == "https://example.org/x.git"
    assert (row["body"], row["event"], row["processed"]) == (recorded.body, "push", False)
    assert (row["project_id"], row["ignored_reason"]) == (job["project_id"], None)
    assert row["headers"]["X-GitHub-Hook-ID"] == "463920175"
    assert not any("ignature" in name for name in row["headers"])


@pytest.mark.parametrize(("name", "reason"), IGNORED.items())
async def test_what_needs_nothing_is_recorded_with_the_reason(
    service: Service, name: str, reason: str
) -> None:
    recorded = fresh(name)
    answer = await service.deliver(recorded)
    assert (answer.status, answer.body) == (202, {"accepted": False, "reason": reason})
    assert await _recorded(service, guid_of(recorded)) == (reason, 0)


async def test_ping_is_answered_and_recorded(service: Service) -> None:
    recorded = fresh("ping")
    answer = await service.deliver(recorded)
    assert (answer.status, answer.body) == (200, {"pong": True})
    assert await _recorded(service, guid_of(recorded)) == ("ping", 0)


async def test_an_unenrolled_repository_is_recorded_and_ignored(service: Service) -> None:
    recorded = from_repository("elsewhere/unknown", 99)
    answer = await service.deliver(recorded)
    expected = {"accepted": False, "reason": "repository_not_enrolled"}
    assert (answer.status, answer.body) == (202, expected)
    assert await _recorded(service, guid_of(recorded)) == ("repository_not_enrolled", 0)


async def test_a_form_is_the_same_as_json(service: Service) -> None:
    recorded = fresh().as_form()
    answer = await service.deliver(recorded)
    [job] = await service.rows("SELECT * FROM jobs WHERE delivery_id = $1", guid_of(recorded))
    assert (answer.status, job["payload"]["branch"]) == (202, "main")


async def test_either_secret_signs_while_rotating(service: Service) -> None:
    answer = await service.deliver(fresh(), "the-secret-that-comes-next")
    assert answer.status == 202


async def test_a_hundred_copies_at_once_are_one_delivery_and_one_job(service: Service) -> None:
    recorded = fresh()
    answers = await asyncio.gather(*(service.deliver(recorded) for _ in range(100)))
    [job] = await service.rows("SELECT id FROM jobs WHERE delivery_id = $1", guid_of(recorded))
    assert {a.status for a in answers} == {202}
    assert {a.body["jobs"][0]["id"] for a in answers} == {str(job["id"])}
    assert sum("duplicate" not in a.body for a in answers) == 1
    assert await _recorded(service, guid_of(recorded)) == (None, 1)


async def test_a_redelivery_of_what_succeeded_is_a_duplicate(service: Service) -> None:
    recorded = fresh()
    first = await service.deliver(recorded)
    await _end(service, first.body["jobs"][0]["id"], "completed")
    again = await service.deliver(recorded)
    assert (again.status, again.body) == (202, first.body | {"duplicate": True})
    assert await _state(service, guid_of(recorded)) == "completed"


async def test_a_redelivery_of_what_died_runs_it_again(service: Service) -> None:
    recorded = fresh()
    first = await service.deliver(recorded)
    await _end(service, first.body["jobs"][0]["id"], "dead")
    again = await service.deliver(recorded)
    assert (again.status, again.body) == (202, first.body | {"duplicate": True})
    assert await _state(service, guid_of(recorded)) == "queued"


async def test_a_redelivery_after_enrolment_runs_what_was_ignored(service: Service) -> None:
    recorded = from_repository("late/comer", 4711)
    assert (await service.deliver(recorded)).body["accepted"] is False
    await service.enrol("Late/Comer")
    again = await service.deliver(recorded)
    [job] = await service.rows("SELECT id FROM jobs WHERE delivery_id = $1", guid_of(recorded))
    assert again.body["accepted"] is True
    assert again.body["jobs"] == [{"id": str(job["id"]), "queue": "artifact-scan"}]
    assert await _recorded(service, guid_of(recorded)) == (None, 1)


async def test_a_push_teaches_the_repository_id_which_outlives_a_rename(service: Service) -> None:
    project = await service.enrol("ship/yard")
    await service.deliver(from_repository("ship/yard", 5150))
    learned = (await service.call("GET", f"/api/projects/{project['id']}")).body
    assert (learned["repositoryId"], learned["defaultBranch"]) == (5150, "main")
    renamed = await service.deliver(from_repository("ship/dock", 5150))
    taken_over = await service.deliver(from_repository("ship/yard", 5151))
    assert renamed.body["accepted"] is True
    assert taken_over.body == {"accepted": False, "reason": "repository_not_enrolled"}


async def test_an_accepted_job_is_rung(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url) as own, Redis.from_url(redis_url) as redis:
        await own.enrol()
        job = (await own.deliver(fresh())).body["jobs"][0]["id"]
        jobs = queue_keys("artifact-scan").jobs
        await eventually(lambda: redis.hexists(jobs, job))


async def test_a_crowd_shares_statements(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url) as own:
        await own.enrol()
        answers = await asyncio.gather(*(own.deliver(fresh()) for _ in range(200)))
        [row] = await own.rows("SELECT count(DISTINCT xmin::text) AS n FROM webhook_events")
        assert {a.status for a in answers} == {202}
        assert await own.counts() == (200, 200, 1)
        assert row["n"] <= 100, "most deliveries went out alone"


async def test_one_unstorable_delivery_fails_nobody_else(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One by one they may take longer than GitHub is kept waiting for, on a slow machine.
    monkeypatch.setattr(intake, "RECORD_SECONDS", 60.0)
    # The key exists already, so that the statement that records this delivery fails.
    clashing, others = fresh(), [fresh() for _ in range(20)]
    await service.rows(
        "INSERT INTO jobs (id, queue, kind, payload, max_attempts, dedupe_key)"
        " VALUES (gen_random_uuid(), 'cleanup', 'cleanup', '{}', 1, $1) RETURNING id",
        f"delivery:{guid_of(clashing)}:artifact_scan",
    )
    answers = await asyncio.gather(*(service.deliver(d) for d in (clashing, *others)))
    assert [a.status for a in answers] == [500] + [202] * 20
    assert answers[0].error["code"] == "internal"


async def test_the_clone_url_is_never_the_payloads(service: Service) -> None:
    assert b"clone_url" in load("push_branch").body
    recorded = fresh()
    await service.deliver(recorded)
    [job] = await service.rows("SELECT payload FROM jobs WHERE delivery_id = $1", guid_of(recorded))
    assert job["payload"]["repoUrl"] == "https://example.org/x.git"


async def _recorded(service: Service, guid: str) -> tuple[str | None, int]:
    [row] = await service.rows(
        "SELECT ignored_reason, (SELECT count(*) FROM jobs WHERE delivery_id = $1) AS jobs"
        " FROM webhook_events WHERE delivery_id = $1",
        guid,
    )
    return row["ignored_reason"], row["jobs"]


async def _end(service: Service, job_id: str, state: str) -> None:
    await service.rows(
        "UPDATE jobs SET state = $2, finished_at = now() WHERE id = $1::text::uuid RETURNING id",
        job_id,
        state,
    )


async def _state(service: Service, guid: str) -> str:
    [job] = await service.rows("SELECT state FROM jobs WHERE delivery_id = $1", guid)
    return str(job["state"])
