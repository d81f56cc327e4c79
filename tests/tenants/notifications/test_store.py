"""Notifications in the record: once for each key, by one job, and told as chosen."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from tests.outgoing.records import counts, endpoint
from tests.tenants.notifications.records import (
    ADDRESS,
    ORG,
    REACHED,
    organisation,
    told,
    warning,
)
from worker.database.pool import Pool
from worker.errors import NotFound
from worker.jobs.ids import new_id
from worker.metrics import NOTIFICATIONS
from worker.tenants.notifications.model import NotificationQuery, Notified
from worker.tenants.notifications.preferences import NewPreferences, PreferenceStore
from worker.tenants.notifications.store import Notifications, key_of


async def choose(pool: Pool, choice: object) -> None:
    """What holds for warnings."""
    chosen = NewPreferences.model_validate({"threshold_warning": choice})
    await PreferenceStore(pool).replace(ORG, chosen)


async def stored(pool: Pool) -> list[Notified]:
    """Everything that was made, oldest first."""
    page = await Notifications(pool).page(ORG, NotificationQuery(limit=200))
    return page.items[::-1]


def counted(channel: str, status: str) -> float:
    value: float = NOTIFICATIONS.labels("threshold_warning", channel, status)._value.get()
    return value


async def test_by_email_it_is_pending_until_it_was_sent(pool: Pool) -> None:
    acme, store = await organisation(pool), Notifications(pool)
    job, before = new_id(), counted("email", "sent")
    made = await told(pool, acme, job)
    assert made.needs_email
    assert not made.again
    n = made.notification
    assert (n.state, n.channels, n.email_to, n.job_id) == ("pending", ["email"], ADDRESS, job)
    assert (n.data, n.sent_at, n.problem, n.repeats) == (REACHED, None, None, 0)
    assert await stored(pool) == [n]
    await store.sent(n, "re_123")
    await store.sent(n, "re_456")
    [sent] = await stored(pool)
    assert (sent.state, sent.email_id) == ("sent", "re_123")
    assert sent.sent_at is not None
    assert counted("email", "sent") == before + 1


async def test_the_same_job_again_goes_on_where_it_was(pool: Pool) -> None:
    acme, job = await organisation(pool), new_id()
    first = await told(pool, acme, job)
    again = await told(pool, acme, job)
    assert again.again
    assert again.needs_email
    assert again.notification == first.notification
    await Notifications(pool).sent(first.notification, None)
    after = await told(pool, acme, job)
    assert after.is_mine
    assert not after.needs_email
    assert (await stored(pool))[0].repeats == 0


async def test_another_job_with_the_key_is_a_quiet_repeat_counted_once(pool: Pool) -> None:
    acme, first, second = await organisation(pool), new_id(), new_id()
    before = counted("none", "repeated")
    await told(pool, acme, first, key="k")
    for job in (second, second, new_id()):
        repeat = await told(pool, acme, job, key="k", data={"other": "words"})
        assert not repeat.is_mine
        assert not repeat.needs_email
        assert repeat.rings == []
    [row] = await stored(pool)
    assert (row.repeats, row.data, row.job_id) == (2, REACHED, first)
    assert counted("none", "repeated") == before + 3


async def test_of_many_jobs_at_once_one_tells(pool: Pool) -> None:
    acme = await organisation(pool, None)
    await endpoint(pool, ORG)
    all_told = await asyncio.gather(*(told(pool, acme, key="k") for _ in range(12)))
    assert sum(t.is_mine for t in all_told) == 1
    assert sum(len(t.rings) for t in all_told) == 1
    [row] = await stored(pool)
    assert (row.state, row.repeats) == ("sent", 11)
    assert await counts(pool) == {"messages": 1, "deliveries": 1, "jobs": 1}


async def test_without_a_key_it_is_what_is_said_that_counts(pool: Pool) -> None:
    acme = await organisation(pool)
    assert (await told(pool, acme)).is_mine
    assert not (await told(pool, acme, data=dict(reversed(REACHED.items())))).is_mine
    assert (await told(pool, acme, data=REACHED | {"percent": 81})).is_mine
    assert (await told(pool, acme, type="limit_exceeded")).is_mine
    assert len(await stored(pool)) == 3


@pytest.mark.parametrize("data", [{"a": {"b": [1, 2.5, None, "\ud800", "é"]}}, {"n": 10**400}])
def test_anything_has_a_key(data: dict[str, Any]) -> None:
    key = key_of(warning(data=data))
    assert key == key_of(warning(data=data))
    assert len(key) <= 200
    assert key.isascii()


async def test_organisations_do_not_share_keys(pool: Pool) -> None:
    acme, other = await organisation(pool), await organisation(pool, id="other")
    assert (await told(pool, acme, key="k")).is_mine
    assert (await told(pool, other, key="k", org_id="other")).is_mine


async def test_a_webhook_is_on_its_way_with_the_row(pool: Pool) -> None:
    acme = await organisation(pool)
    await endpoint(pool, ORG, ["notification.threshold_warning"])
    await choose(pool, "webhook")
    made = await told(pool, acme)
    assert made.notification.state == "sent"
    assert made.notification.email_to is None
    [ring] = made.rings
    assert ring.queue == "webhooks"
    row = await pool.fetchrow("SELECT * FROM outgoing_messages")
    assert row is not None
    assert (row["event"], row["key"]) == (
        "notification.threshold_warning", f"notification:{made.notification.id}",
    )  # fmt: skip
    assert json.loads(row["body"])["data"] == {
        "id": str(made.notification.id), "orgId": ORG, "type": "threshold_warning",
        "data": REACHED,
    }  # fmt: skip


async def test_both_ways(pool: Pool) -> None:
    acme = await organisation(pool)
    await endpoint(pool, ORG)
    await choose(pool, ["email", "webhook"])
    made = await told(pool, acme)
    assert made.needs_email
    assert len(made.rings) == 1
    again = await told(pool, acme, made.notification.job_id)
    assert again.rings == []
    assert (await counts(pool))["messages"] == 1


async def test_off_is_recorded_and_not_sent(pool: Pool) -> None:
    acme, before = await organisation(pool), counted("none", "off")
    await endpoint(pool, ORG)
    await choose(pool, "off")
    made = await told(pool, acme)
    assert (made.notification.state, made.notification.channels) == ("off", [])
    assert not made.needs_email
    assert (await counts(pool))["messages"] == 0
    assert counted("none", "off") == before + 1


async def test_what_is_chosen_later_changes_nothing_that_was_made(pool: Pool) -> None:
    acme, job = await organisation(pool), new_id()
    await told(pool, acme, job)
    await choose(pool, "off")
    assert (await told(pool, acme, job)).needs_email


@pytest.mark.parametrize("choice", ["webhook", "email", ["email", "webhook"]])
async def test_where_nobody_can_be_told_it_says_so(pool: Pool, choice: object) -> None:
    acme = await organisation(pool, None)
    await endpoint(pool, ORG, ["project.*"])
    await endpoint(pool, ORG, reason="gone")
    await choose(pool, choice)
    made = await told(pool, acme)
    assert made.notification.state == "unheard"
    assert not made.needs_email


async def test_what_failed_is_for_the_next_job_that_comes(pool: Pool) -> None:
    acme, store, first, second = await organisation(pool), Notifications(pool), new_id(), new_id()
    made = await told(pool, acme, first, key="k")
    await store.failed(made.notification, "x" * 10_000)
    [failed] = await stored(pool)
    assert failed.state == "failed"
    assert failed.problem == "x" * 500
    taken = await told(pool, acme, second, key="k")
    assert taken.again
    assert taken.needs_email
    assert (taken.notification.job_id, taken.notification.problem) == (second, None)
    assert taken.notification.repeats == 0
    assert not (await told(pool, acme, first, key="k")).is_mine
    await store.sent(made.notification, "late")
    assert (await stored(pool))[0].state == "pending", "the first job has no say any more"
    await store.sent(taken.notification, "re_2")
    [sent] = await stored(pool)
    assert (sent.state, sent.email_id, sent.repeats) == ("sent", "re_2", 1)


async def test_what_was_sent_does_not_fail(pool: Pool) -> None:
    acme, store = await organisation(pool), Notifications(pool)
    made = await told(pool, acme)
    await store.sent(made.notification, None)
    await store.failed(made.notification, "too late")
    assert (await stored(pool))[0].state == "sent"


async def test_a_job_that_is_retried_after_it_failed_takes_it_up_again(pool: Pool) -> None:
    acme, job = await organisation(pool), new_id()
    made = await told(pool, acme, job)
    await Notifications(pool).failed(made.notification, "no")
    again = await told(pool, acme, job)
    assert again.needs_email
    assert again.again


async def test_pages_are_newest_first_and_filtered(pool: Pool) -> None:
    acme, store = await organisation(pool), Notifications(pool)
    made = [(await told(pool, acme, key=f"k-{n}")).notification.id for n in range(5)]
    await store.sent((await store.get(ORG, made[1])), None)
    other = await organisation(pool, id="other")
    await told(pool, other, org_id="other")
    first = await store.page(ORG, NotificationQuery(limit=2))
    assert [n.id for n in first.items] == [made[4], made[3]]
    rest = NotificationQuery.model_validate({"limit": 10, "cursor": first.next})
    assert [n.id for n in (await store.page(ORG, rest)).items] == made[2::-1]
    sent = await store.page(ORG, NotificationQuery(state="sent"))
    assert [n.id for n in sent.items] == [made[1]]
    assert (await store.page(ORG, NotificationQuery(type="limit_exceeded"))).items == []


async def test_what_is_not_there_is_not_found(pool: Pool) -> None:
    acme, store = await organisation(pool), Notifications(pool)
    other = await organisation(pool, id="other")
    theirs: UUID = (await told(pool, other, org_id="other")).notification.id
    for org_id, id_ in ((acme.id, theirs), (acme.id, new_id()), ("nobody", theirs), ("\0", theirs)):
        with pytest.raises(NotFound):
            await store.get(org_id, id_)
    with pytest.raises(NotFound):
        await store.page("nobody", NotificationQuery())
    with pytest.raises(NotFound):
        await store.organisation("nobody")
