"""Telling organisations: run as it is, run twice, broken off, and when emails do not go."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from arq.connections import ArqRedis

from tests.chaos.processes import until
from tests.handlers.running import running
from tests.handlers.scanning import opened
from tests.outgoing.records import counts, endpoint
from tests.support import eventually
from tests.tenants.notifications.fake_resend import KEY, FakeResend, problem
from tests.tenants.notifications.records import ADDRESS, ORG, SENDER, organisation, warning
from worker.database.pool import Pool, atomically
from worker.errors import PermanentError
from worker.git import Mirrors
from worker.handlers.context import Resources
from worker.handlers.notification import notification
from worker.handlers.registry import REGISTRY
from worker.jobs.ids import new_id
from worker.jobs.model import Completed, Failed, Outcome, Snooze, StartedJob
from worker.jobs.planning import record
from worker.jobs.queues import QUEUES
from worker.jobs.ring import queue_keys
from worker.tenants.notifications.letters import NoEmail
from worker.tenants.notifications.model import NotificationQuery, Notified
from worker.tenants.notifications.preferences import NewPreferences, PreferenceStore
from worker.tenants.notifications.resend import Resend
from worker.tenants.notifications.resend_limits import ResendLimits
from worker.tenants.notifications.writing import letter_of

QUEUE = QUEUES["flagship:notifications"]


@dataclass
class Desk:
    """What the handler has around it."""

    pool: Pool
    redis: ArqRedis
    resources: Resources
    fake: FakeResend

    async def run(self, job_id: UUID | None = None, failures: int = 0, **more: Any) -> Outcome:
        """One attempt of a job that warns the organisation."""
        job = StartedJob(
            id=job_id or new_id(), queue=QUEUE.name, kind="notification", payload={},
            attempt=failures + 1, failures=failures, max_attempts=QUEUE.attempts, project_id=None,
            delivery_id=None, correlation_id=None, waited=0.0, token="t", worker="w", project=None,
        )  # fmt: skip
        context = self.resources.context(job, lambda *_: None)
        return await notification(warning(**more), context)

    async def stored(self) -> list[Notified]:
        """All notifications of the organisation, newest first."""
        return (await self.resources.notifications.page(ORG, NotificationQuery())).items

    async def choose(self, choice: object) -> None:
        """By what channels it wants its warnings."""
        chosen = NewPreferences.model_validate({"threshold_warning": choice})
        await PreferenceStore(self.pool).replace(ORG, chosen)


@pytest.fixture
async def desk(pool: Pool, redis: ArqRedis, tmp_path: Path) -> AsyncIterator[Desk]:
    async with FakeResend().serving() as fake:
        plain = opened(pool, redis, Mirrors(tmp_path, protocols=["https"]))
        email = Resend(ResendLimits(redis, 1000), fake.url, KEY, SENDER)
        await organisation(pool)
        desk = Desk(pool, redis, replace(plain, email=email), fake)
        yield desk
        await desk.resources.close()


def test_its_queue_retries_after_one_two_and_three_seconds() -> None:
    assert REGISTRY.get("notification").queue == QUEUE.name
    assert QUEUE.attempts == 4
    assert [QUEUE.backoff.delay(n, 0.5) for n in (1, 2, 3)] == [1.0, 2.0, 3.0]


async def test_an_organisation_is_told_by_email(desk: Desk) -> None:
    job = new_id()
    outcomes = [await desk.run(job) for _ in range(2)]
    [row] = await desk.stored()
    [(key, (email_id, body))] = desk.fake.sent.items()
    assert (row.state, row.email_id, row.repeats) == ("sent", email_id, 0)
    assert key == str(row.id)
    assert body["to"] == [ADDRESS]
    assert "api_calls has reached 80 % of its monthly limit of 15,000" in body["subject"]
    assert "12,345" in body["text"]
    assert "1 December 2026, 00:00 CET" in body["html"]
    for outcome in outcomes:
        assert isinstance(outcome, Completed)
        assert outcome.data == {"notificationId": str(row.id)}
    assert len(desk.fake.requests) == 1, "what was sent is not even tried again"


async def test_two_jobs_with_one_key_are_one_email(desk: Desk) -> None:
    await desk.run(key="k")
    second = await desk.run(key="k")
    assert isinstance(second, Completed)
    assert second.message == "told before"
    [row] = await desk.stored()
    assert row.repeats == 1
    assert len(desk.fake.requests) == 1


async def test_a_webhook_is_recorded_and_rung(desk: Desk) -> None:
    await desk.choose("webhook")
    await endpoint(desk.pool, ORG)
    job = new_id()
    for _ in range(2):
        assert isinstance(await desk.run(job), Completed)
    [row] = await desk.stored()
    assert row.state == "sent"
    assert await counts(desk.pool) == {"messages": 1, "deliveries": 1, "jobs": 1}
    rung: list[bytes] = await desk.redis.hkeys(queue_keys("webhooks").jobs)  # type: ignore[misc]
    assert len(rung) == 1
    assert desk.fake.requests == []


@pytest.mark.parametrize(("choice", "state"), [("off", "off"), ("webhook", "unheard")])
async def test_who_is_not_told_has_it_recorded(desk: Desk, choice: str, state: str) -> None:
    await desk.choose(choice)
    outcome = await desk.run()
    assert isinstance(outcome, Completed)
    assert outcome.message != "told"
    assert [row.state for row in await desk.stored()] == [state]
    assert desk.fake.requests == []


async def test_a_crash_between_sending_and_recording_sends_nothing_twice(desk: Desk) -> None:
    acme = await desk.resources.notifications.organisation(ORG)
    job = new_id()
    told = await desk.resources.notifications.tell(warning(), acme, job)
    first = await desk.resources.email.send(letter_of(told.notification, acme), again=False)
    assert isinstance(await desk.run(job), Completed)
    [row] = await desk.stored()
    assert (row.state, row.email_id) == ("sent", first)
    assert len(desk.fake.requests) == 2
    assert len(desk.fake.sent) == 1


async def test_other_words_after_a_crash_send_nothing_twice(desk: Desk) -> None:
    acme = await desk.resources.notifications.organisation(ORG)
    job = new_id()
    told = await desk.resources.notifications.tell(warning(), acme, job)
    await desk.resources.email.send(letter_of(told.notification, acme), again=False)
    await desk.pool.execute("UPDATE organisations SET name = 'Acme Inc.', timezone = 'UTC'")
    assert isinstance(await desk.run(job), Completed)
    [row] = await desk.stored()
    assert (row.state, row.email_id) == ("sent", None)
    assert len(desk.fake.sent) == 1


async def test_a_failure_is_tried_again_and_the_last_one_is_told(desk: Desk) -> None:
    desk.fake.mishaps.extend(problem(503, "application_error") for _ in range(QUEUE.attempts))
    job = new_id()
    for failures in range(QUEUE.attempts):
        assert [row.state for row in await desk.stored()] in ([], ["pending"])
        outcome = await desk.run(job, failures)
        assert isinstance(outcome, Failed)
        assert "503 application_error" in outcome.error
        assert outcome.retry_in is None
    [row] = await desk.stored()
    assert row.state == "failed"
    assert "503 application_error" in str(row.problem)
    assert isinstance(await desk.run(job, QUEUE.attempts), Completed), "retried by hand"
    [row] = await desk.stored()
    assert (row.state, row.problem) == ("sent", None)


async def test_a_refusal_is_final_and_the_next_job_may_do_better(desk: Desk) -> None:
    desk.fake.mishaps.append(problem(403, "validation_error", "The domain is not verified"))
    with pytest.raises(PermanentError, match="domain is not verified"):
        await desk.run(key="k")
    [row] = await desk.stored()
    assert row.state == "failed"
    assert isinstance(await desk.run(key="k"), Completed)
    [row] = await desk.stored()
    assert (row.state, row.repeats) == ("sent", 0)


async def test_a_rate_limit_counts_for_nothing(desk: Desk) -> None:
    desk.fake.mishaps.append(problem(429, "rate_limit_exceeded", retry_after="3"))
    job = new_id()
    outcome = await desk.run(job, failures=QUEUE.attempts - 1)
    assert isinstance(outcome, Snooze)
    assert outcome.seconds == 3
    assert [row.state for row in await desk.stored()] == ["pending"]
    assert isinstance(await desk.run(job), Completed)


async def test_a_used_up_quota_is_left_alone(desk: Desk) -> None:
    desk.fake.mishaps.append(problem(429, "monthly_quota_exceeded"))
    outcomes = [await desk.run(key=f"k-{n}") for n in range(5)]
    assert all(isinstance(o, Snooze) and o.seconds > 3500 for o in outcomes)
    assert len(desk.fake.requests) == 1
    assert {row.state for row in await desk.stored()} == {"pending"}


async def test_without_a_way_to_send_it_says_what_to_set(desk: Desk) -> None:
    without = Desk(desk.pool, desk.redis, replace(desk.resources, email=NoEmail()), desk.fake)
    with pytest.raises(PermanentError, match="RESEND_API_KEY or SMTP_URL"):
        await without.run()
    [row] = await desk.stored()
    assert row.state == "failed"


async def test_an_unknown_organisation_is_final(desk: Desk) -> None:
    with pytest.raises(PermanentError, match="There is no organisation 'nobody'"):
        await desk.run(org_id="nobody")


async def test_through_the_engine_it_arrives_after_troubles(desk: Desk) -> None:
    desk.fake.mishaps.append(problem(503, "application_error"))
    desk.fake.mishaps.append(problem(429, "rate_limit_exceeded", retry_after="0.5"))
    follow_ups = desk.resources.follow_ups
    planned = follow_ups.planner.job(warning(), "notification:acme:k")
    async with running(desk.pool, desk.redis, desk.resources.context, QUEUE.name):
        rings = await atomically(desk.pool, lambda connection: record(connection, [planned]))
        await follow_ups.ring(rings)
        await eventually(lambda: desk.fake.sent, timeout=10)
        await until(lambda: completed(desk, planned.id), timeout=10)
    assert [r.status for r in desk.fake.requests] == [503, 429, 200]
    failed, limited, sent = (r.at for r in desk.fake.requests)
    assert limited - failed >= 1.0
    assert sent - limited >= 0.5
    row = await desk.pool.fetchrow("SELECT * FROM jobs WHERE id = $1", planned.id)
    assert row is not None
    assert (row["failures"], row["org_id"]) == (1, ORG)


async def completed(desk: Desk, job_id: UUID) -> bool:
    """Whether the job has ended well."""
    state = await desk.pool.fetchval("SELECT state FROM jobs WHERE id = $1", job_id)
    return bool(state == "completed")
