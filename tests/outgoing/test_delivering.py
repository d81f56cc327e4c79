"""Deliveries in the record: what may go, what came of it, and what an endpoint's failures mean."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from cryptography.fernet import Fernet

from tests.chaos.processes import until
from tests.outgoing.parcels import ARRIVED, REFUSED, Post
from tests.outgoing.records import ORG
from tests.test_sql import plan
from worker.cipher import Cipher
from worker.database.pool import Pool
from worker.jobs.ids import new_id
from worker.outgoing.delivering import SQL, Attempt, Deliveries, Parcel, Wait
from worker.outgoing.outcomes import Sent
from worker.outgoing.sealing import EndpointLabel, seal
from worker.outgoing.signing import new_secret

BUSY = replace(REFUSED, status=503)
GONE = Sent(status=410, error_class="gone", error="the endpoint answered 410")


@pytest.fixture
async def post(pool: Pool) -> Post:
    return await Post.opened(pool)


async def test_a_parcel_has_the_stored_bytes_and_the_opened_secret(post: Post) -> None:
    secret = new_secret()
    endpoint = await post.endpoint("https://example.org/x", secret)
    attempt = await post.attempt(endpoint)
    parcel = await post.parcel(attempt)
    stored = await post.pool.fetchval("SELECT body FROM outgoing_messages")
    assert (parcel.url, parcel.body, parcel.secrets, parcel.schedule) == (
        "https://example.org/x", stored, [secret], "short",
    )  # fmt: skip
    assert secret not in repr(parcel)


async def test_while_a_secret_is_rotated_there_are_two_the_new_one_first(post: Post) -> None:
    old, new = new_secret(), new_secret()
    endpoint = await post.endpoint(secret=new)
    before = seal(post.cipher, EndpointLabel(endpoint, ORG), old)
    await post.pool.execute(
        "UPDATE outgoing_endpoints SET previous_secret = $2, previous_key_id = $3, "
        "previous_until = now() + interval '1 hour' WHERE id = $1",
        endpoint, before.data, before.key_id,
    )  # fmt: skip
    attempt = await post.attempt(endpoint)
    assert (await post.parcel(attempt)).secrets == [new, old]
    await post.set(endpoint, previous_until=timedelta(seconds=-1))
    assert (await post.parcel(attempt)).secrets == [new]


async def test_a_success_is_recorded_once(post: Post) -> None:
    endpoint = await post.endpoint()
    attempt = await post.attempt(endpoint)
    parcel = await post.parcel(attempt)
    for _ in range(2):
        await post.deliveries.arrived(attempt, parcel, ARRIVED)
    delivery = await post.delivery(attempt)
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)
    assert delivery["delivered_at"] is not None
    [row] = await post.attempts()
    assert (row["job_id"], row["attempt"], row["status"], row["duration_ms"]) == (
        attempt.job_id, 1, 200, 12,
    )  # fmt: skip
    assert (row["error_class"], row["error"], row["answer"]) == (None, None, b"ok")
    assert row["started_at"] == parcel.started


async def test_what_has_arrived_is_not_sent_again(post: Post) -> None:
    attempt = await post.attempt(await post.endpoint())
    await post.deliveries.arrived(attempt, await post.parcel(attempt), ARRIVED)
    assert (await post.over(replace(attempt, number=2))).arrived


async def test_a_failure_is_recorded_once_and_leaves_it_pending(post: Post) -> None:
    endpoint = await post.endpoint()
    attempt = await post.attempt(endpoint)
    parcel = await post.parcel(attempt)
    for _ in range(2):
        consequence = await post.deliveries.failed(attempt, parcel, REFUSED, 1.0)
        assert not consequence.disabled
    delivery = await post.delivery(attempt)
    assert (delivery["state"], delivery["attempts"]) == ("pending", 1)
    [row] = await post.attempts()
    assert (row["status"], row["error_class"], row["error"], row["answer"]) == (
        500, "server_error", "the endpoint answered 500", b"\x00\xffoh",
    )  # fmt: skip
    assert (await post.row(endpoint))["failures"] == 1


async def test_the_last_failure_fails_the_delivery(post: Post) -> None:
    endpoint = await post.endpoint()
    attempt = await post.attempt(endpoint, failures=5)
    await post.deliveries.failed(attempt, await post.parcel(attempt), REFUSED, 1.0)
    assert (await post.delivery(attempt))["state"] == "failed"


async def test_what_failed_can_be_sent_again_and_arrive(post: Post) -> None:
    endpoint = await post.endpoint()
    attempt = await post.attempt(endpoint, failures=5)
    await post.deliveries.failed(attempt, await post.parcel(attempt), REFUSED, 1.0)
    again = replace(attempt, job_id=new_id(), number=1, failures=0)
    await post.deliveries.arrived(again, await post.parcel(again), ARRIVED)
    delivery = await post.delivery(attempt)
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 2)


async def test_a_failure_that_comes_late_does_not_undo_an_arrival(post: Post) -> None:
    attempt = await post.attempt(await post.endpoint())
    parcel = await post.parcel(attempt)
    await post.deliveries.arrived(attempt, parcel, ARRIVED)
    other = replace(attempt, job_id=new_id(), failures=5)
    await post.deliveries.failed(other, parcel, REFUSED, 1.0)
    assert (await post.delivery(attempt))["state"] == "delivered"


@pytest.mark.parametrize("table", ["outgoing_endpoints", "outgoing_messages"])
async def test_what_was_deleted_is_over_also_while_it_is_sent(post: Post, table: str) -> None:
    attempt = await post.attempt(await post.endpoint())
    parcel = await post.parcel(attempt)
    await post.pool.execute(f"DELETE FROM {table}")
    await post.deliveries.arrived(attempt, parcel, ARRIVED)
    await post.deliveries.failed(replace(attempt, number=2), parcel, REFUSED, 1.0)
    assert await post.attempts() == []
    over = await post.over(replace(attempt, number=3))
    assert (over.arrived, over.reason) == (False, "the endpoint or the message was deleted")


@pytest.mark.parametrize(("attempts", "state"), [(0, "skipped"), (1, "failed")])
async def test_of_a_disabled_endpoint_what_was_never_attempted_is_skipped(
    post: Post, attempts: int, state: str
) -> None:
    endpoint = await post.endpoint()
    attempt = await post.attempt(endpoint)
    if attempts:
        await post.deliveries.failed(attempt, await post.parcel(attempt), REFUSED, 1.0)
    await post.pool.execute(
        "UPDATE outgoing_endpoints SET state = 'disabled', disabled_reason = 'asked', "
        "disabled_at = now()"
    )
    over = await post.over(replace(attempt, number=2))
    assert over.reason == "the endpoint is disabled (by hand)"
    assert (await post.delivery(attempt))["state"] == state


async def test_six_failures_in_a_row_open_the_breaker_for_everything(post: Post) -> None:
    endpoint, other = await post.endpoint(), await post.endpoint()
    await post.fails(endpoint, 5)
    assert (await post.row(endpoint))["open_until"] is None
    await post.fails(endpoint)
    assert 29 < (await post.row(endpoint))["open_until"] <= 30
    wait = await post.wait(await post.attempt(endpoint))
    assert 29 < wait.seconds <= 45
    assert wait.reason == "the endpoint keeps failing and is left alone"
    assert isinstance(await post.deliveries.parcel(await post.attempt(other)), Parcel)


async def test_nobody_waits_for_long_after_an_hours_rest(post: Post) -> None:
    endpoint = await post.endpoint(slow_until=timedelta(hours=1))
    attempt = await post.attempt(endpoint)
    waits = [(await post.wait(attempt)).seconds for _ in range(30)]
    assert min(waits) > 3590
    assert max(waits) <= 3900


async def test_who_waits_does_not_come_all_at_once(post: Post) -> None:
    endpoint = await post.endpoint()
    await post.fails(endpoint, 6)
    attempt = await post.attempt(endpoint)
    waits = {round((await post.wait(attempt)).seconds) for _ in range(30)}
    assert len(waits) > 5


async def test_a_success_in_between_starts_the_count_anew(post: Post) -> None:
    endpoint = await post.endpoint()
    await post.fails(endpoint, 5)
    attempt = await post.attempt(endpoint)
    await post.deliveries.arrived(attempt, await post.parcel(attempt), ARRIVED)
    row = await post.row(endpoint)
    assert (row["failures"], row["failing_since"]) == (0, None)
    await post.fails(endpoint, 5)
    assert (await post.row(endpoint))["open_until"] is None


async def half_open(post: Post) -> tuple[UUID, list[Attempt]]:
    """An endpoint whose breaker was open until now, and eight deliveries that wait for it."""
    endpoint = await post.endpoint()
    await post.fails(endpoint, 6)
    await post.set(endpoint, open_until=timedelta(seconds=-1))
    return endpoint, [await post.attempt(endpoint) for _ in range(8)]


async def test_half_open_one_of_many_tries_and_its_success_closes_it(post: Post) -> None:
    endpoint, attempts = await half_open(post)
    found = await asyncio.gather(*(post.deliveries.parcel(a) for a in attempts))
    [(probe, parcel)] = [
        (a, f) for a, f in zip(attempts, found, strict=True) if isinstance(f, Parcel)
    ]
    waits = [f for f in found if isinstance(f, Wait)]
    assert len(waits) == 7
    assert {w.reason for w in waits} == {"another delivery tries the endpoint"}
    assert all(1 <= w.seconds <= 45 for w in waits)
    await post.deliveries.arrived(probe, parcel, ARRIVED)
    row = await post.row(endpoint)
    assert (row["failures"], row["open_until"], row["probing_until"]) == (0, None, None)
    for attempt in attempts:
        if attempt is not probe:
            await post.parcel(attempt)


async def test_a_probe_that_fails_opens_it_for_twice_as_long(post: Post) -> None:
    endpoint, [probe, *others] = await half_open(post)
    await post.deliveries.failed(probe, await post.parcel(probe), REFUSED, 1.0)
    row = await post.row(endpoint)
    assert 59 < row["open_until"] <= 60
    assert row["probing_until"] is None
    assert (await post.wait(others[0])).seconds > 59


async def test_a_probe_that_was_lost_lets_another_try(post: Post) -> None:
    endpoint, [probe, other, *_] = await half_open(post)
    await post.parcel(probe)
    await post.wait(other)
    await post.set(endpoint, probing_until=timedelta(seconds=-1))
    await post.parcel(other)


async def test_what_was_under_way_when_it_opened_changes_nothing(post: Post) -> None:
    endpoint = await post.endpoint()
    late = await post.attempt(endpoint)
    parcel = await post.parcel(late)
    await post.fails(endpoint, 6)
    before = await post.row(endpoint)
    await post.deliveries.failed(late, parcel, REFUSED, 1.0)
    after = await post.row(endpoint)
    assert after["failures"] == before["failures"] == 6
    assert after["open_until"] <= before["open_until"]


async def test_failures_at_the_same_time_are_all_counted(post: Post) -> None:
    endpoint = await post.endpoint()
    attempts = [await post.attempt(endpoint) for _ in range(5)]
    parcels = [await post.parcel(attempt) for attempt in attempts]
    pairs = zip(attempts, parcels, strict=True)
    async with post.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM outgoing_endpoints FOR UPDATE")
        failing = asyncio.gather(*(post.deliveries.failed(a, p, REFUSED, 1.0) for a, p in pairs))
        await until(lambda: waiting(post.pool, 5))
    await failing
    assert (await post.row(endpoint))["failures"] == 5


async def waiting(pool: Pool, count: int) -> bool:
    """Whether so many wait for what another one has locked."""
    waiters: int = await pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return waiters == count


async def test_a_busy_endpoint_rests_as_long_as_it_asks(post: Post) -> None:
    endpoint = await post.endpoint()
    await post.fails(endpoint, sent=replace(BUSY, retry_after=600.0))
    wait = await post.wait(await post.attempt(endpoint))
    assert 599 < wait.seconds <= 900
    assert wait.reason == "the endpoint asked for a rest"
    assert (await post.row(endpoint))["failures"] == 1


async def test_a_shorter_rest_does_not_end_a_longer_one(post: Post) -> None:
    endpoint = await post.endpoint()
    other = await post.attempt(endpoint)
    parcel = await post.parcel(other)
    await post.fails(endpoint, sent=replace(BUSY, retry_after=600.0))
    await post.deliveries.failed(other, parcel, BUSY, 1.0)
    assert 599 < (await post.row(endpoint))["slow_until"] <= 600


async def test_410_disables_the_endpoint_and_has_it_told(post: Post) -> None:
    endpoint, other = await post.endpoint(), await post.endpoint()
    attempt = await post.attempt(endpoint)
    consequence = await post.deliveries.failed(attempt, await post.parcel(attempt), GONE, 1.0)
    assert consequence.disabled
    row = await post.row(endpoint)
    assert (row["state"], row["disabled_reason"]) == ("disabled", "gone")
    kinds = await post.pool.fetch("SELECT kind FROM jobs WHERE id = ANY ($1)",
                                  [ring.id for ring in consequence.rings])  # fmt: skip
    assert {k["kind"] for k in kinds} == {"audit_event", "notification", "webhook_delivery"}
    assert (await post.delivery(attempt))["state"] == "failed"
    assert (await post.row(other))["state"] == "enabled"


async def test_failing_for_five_days_disables_it(post: Post) -> None:
    endpoint = await post.endpoint()
    await post.pool.execute(
        "UPDATE outgoing_endpoints SET failures = 19, failing_since = now() - interval '5 days', "
        "open_until = now() - interval '1 second'"
    )
    attempt = await post.attempt(endpoint)
    consequence = await post.deliveries.failed(attempt, await post.parcel(attempt), REFUSED, 1.0)
    assert consequence.disabled
    row = await post.row(endpoint)
    assert (row["disabled_reason"], row["failures"]) == ("failing", 20)
    assert row["probe_at"] > 0


async def test_a_disabled_endpoint_is_not_disabled_twice(post: Post) -> None:
    endpoint = await post.endpoint()
    attempts = [await post.attempt(endpoint) for _ in range(3)]
    parcels = [await post.parcel(attempt) for attempt in attempts]
    pairs = zip(attempts, parcels, strict=True)
    found = await asyncio.gather(*(post.deliveries.failed(a, p, GONE, 1.0) for a, p in pairs))
    assert sum(c.disabled for c in found) == 1
    assert sum(len(c.rings) > 0 for c in found) == 1
    assert len(await post.attempts()) == 3


@pytest.mark.parametrize("keys", [[], [Fernet.generate_key().decode()]], ids=["none", "another"])
async def test_without_the_key_it_waits_for_somebody_to_set_it(post: Post, keys: list[str]) -> None:
    attempt = await post.attempt(await post.endpoint())
    wait = await Deliveries(post.pool, Cipher(keys)).parcel(attempt)
    assert isinstance(wait, Wait)
    assert wait.seconds >= 300
    assert str(attempt.endpoint_id) in wait.reason
    assert (await post.delivery(attempt))["state"] == "pending"


async def test_a_secret_of_another_endpoint_signs_nothing(post: Post) -> None:
    one, other = await post.endpoint(), await post.endpoint()
    await post.pool.execute(
        "UPDATE outgoing_endpoints SET secret = (SELECT secret FROM outgoing_endpoints "
        "WHERE id = $1) WHERE id = $2", one, other,
    )  # fmt: skip
    assert "another owner" in (await post.wait(await post.attempt(other))).reason


MANY = """
INSERT INTO organisations (id, name) VALUES ('many', 'many');
INSERT INTO outgoing_endpoints (id, org_id, url, secret, secret_key_id)
SELECT gen_random_uuid(), 'many', 'u', '', '' FROM generate_series(1, 500);
INSERT INTO outgoing_messages (id, org_id, event, key, body)
SELECT gen_random_uuid(), 'many', 'e', n::text, '{}' FROM generate_series(1, 3000) n;
INSERT INTO outgoing_deliveries (endpoint_id, message_id)
SELECT (SELECT id FROM outgoing_endpoints WHERE m.id IS NOT NULL ORDER BY random() LIMIT 1), m.id
FROM outgoing_messages m;
INSERT INTO outgoing_attempts (id, endpoint_id, message_id, job_id, attempt, started_at,
                               duration_ms)
SELECT gen_random_uuid(), endpoint_id, message_id, gen_random_uuid(), 1, now(), 1
FROM outgoing_deliveries;
ANALYZE
"""


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
async def test_what_every_delivery_takes_reads_no_whole_table(pool: Pool, generic: bool) -> None:
    await pool.execute(MANY)
    row = await pool.fetchrow("SELECT endpoint_id, message_id FROM outgoing_deliveries")
    assert row
    ids: list[list[object]] = [[row["endpoint_id"]] * 20, [row["message_id"]] * 20]
    once: list[list[object]] = [[value] * 20 for value in (1, "2030-01-01", 1, 200)]
    arrivals = [*ids, ids[0], ids[0], *once, ["\\\\x00"] * 20]
    for sql, arguments in ((SQL.parcels, ids), (SQL.arrived, arrivals)):
        found = await plan(pool, sql, *arguments, generic=generic)
        read = [n["Relation Name"] for n in found if n["Node Type"] == "Seq Scan"]
        assert read == [], found
