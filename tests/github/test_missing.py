"""Deliveries that never arrived: found in GitHub's lists, asked for again, and counted."""

from datetime import timedelta
from typing import Any

import pytest

from tests.github.fake.state import Hook
from tests.github.office import Office
from tests.jobs.records import record_delivery
from worker.github import missing
from worker.github.missing import Looked
from worker.handlers.missed_deliveries import missed_deliveries
from worker.jobs.ids import new_id
from worker.jobs.model import Completed
from worker.jobs.payloads import MissedDeliveries
from worker.metrics import REGISTRY

HOUR = timedelta(hours=1)


async def look(office: Office, **options: Any) -> Looked:
    return await office.resources.missed_deliveries.look(**({"days": 3} | options))


async def known(office: Office) -> Hook:
    """The App's hook; the project's repository has pushed before."""
    await office.pool.execute(
        "UPDATE projects SET repository_id = $2 WHERE id = $1",
        office.project.id, office.repository.id,
    )  # fmt: skip
    return office.app.hook


def failed(office: Office, hook: Hook, guid: str, age: timedelta = HOUR, **more: Any) -> int:
    return int(hook.failed(guid, age, repository_id=office.repository.id, **more)["id"])


async def test_only_what_never_arrived_is_asked_for_again(office: Office) -> None:
    hook = await known(office)
    missed = failed(office, hook, "missed")
    failed(office, hook, "recorded")
    await record_delivery(office.pool, "recorded")
    failed(office, hook, "arrived", arrived=True)
    failed(office, hook, "late")
    failed(office, hook, "late", timedelta(minutes=5), arrived=True, redelivery=True)
    failed(office, hook, "old", timedelta(days=4))
    hook.failed("somebody else's", repository_id=1)
    hook.failed("about no repository")
    looked = await look(office)
    assert (looked.hooks, looked.missing, looked.asked) == (1, 1, 1)
    assert hook.asked == [missed]


async def test_the_latest_attempt_is_repeated_the_oldest_delivery_first(office: Office) -> None:
    hook = await known(office)
    failed(office, hook, "b", 2 * HOUR)
    failed(office, hook, "a", 9 * HOUR)
    again = failed(office, hook, "a", 8 * HOUR, redelivery=True)
    await look(office)
    assert hook.asked[0] == again
    assert len(hook.asked) == 2


@pytest.mark.parametrize("listed", [True, False])
async def test_nothing_is_asked_for_twice_within_an_hour(office: Office, listed: bool) -> None:
    hook = await known(office)
    hook.lists_redeliveries = listed
    failed(office, hook, "missed", 2 * HOUR)
    for _ in range(2):
        looked = await look(office)
        assert looked.missing == 1
    assert len(hook.asked) == 1
    [key] = await office.redis.keys("github:asked:*")
    assert 3500 < await office.redis.ttl(key) <= 3600
    await office.redis.delete(key)
    await look(office)
    assert len(hook.asked) == 2


async def test_a_repository_that_never_pushed_is_asked_for_its_number(office: Office) -> None:
    failed(office, office.app.hook, "its first push")
    assert (await look(office)).asked == 1


async def test_all_pages_are_read_and_no_more_than_needed(office: Office) -> None:
    hook = await known(office)
    for n in range(250):
        failed(office, hook, f"d{n}", arrived=True)
    failed(office, hook, "missed", 2 * HOUR)
    for n in range(200):
        failed(office, hook, f"old{n}", timedelta(days=5))
    assert (await look(office)).missing == 1
    assert len(office.fake.sent("GET", "/app/hook/deliveries")) == 3


async def test_only_so_many_are_asked_for_in_a_run(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing, "ASKED_A_RUN", 4)
    hook = await known(office)
    for n in range(6):
        failed(office, hook, f"m{n}")
    looked = await look(office)
    assert (looked.missing, looked.asked) == (6, 4)
    assert (await look(office)).asked == 2


async def test_a_token_reads_the_repositorys_own_hooks(office: Office) -> None:
    office.log_in_with_token()
    ours, other = office.repository.add_hook(), office.repository.add_hook("https://ci.example/x")
    failed(office, ours, "missed")
    failed(office, other, "not ours")
    looked = await look(office)
    assert (looked.hooks, looked.missing, looked.asked) == (1, 1, 1)
    assert other.asked == []


async def test_an_app_whose_hook_goes_elsewhere_is_left_alone(office: Office) -> None:
    hook = await known(office)
    hook.url = "https://ci.example/hook"
    failed(office, hook, "not ours")
    assert (await look(office)).hooks == 0
    assert hook.asked == []
    assert office.fake.sent("GET", "/deliveries") == []


async def test_one_that_cannot_be_read_does_not_hide_the_others(office: Office) -> None:
    neighbour = await office.neighbour()
    office.log_in_with_token()
    del office.fake.company.repositories[office.project.repository.lower()]
    failed(neighbour, neighbour.repository.add_hook(), "missed")
    looked = await look(office)
    assert looked.unreadable == [office.project.repository]
    assert looked.asked == 1


async def test_what_is_left_over_comes_first_in_the_next_run(office: Office) -> None:
    neighbour = await office.neighbour()
    office.log_in_with_token()
    failed(neighbour, neighbour.repository.add_hook(), "missed")
    assert (await look(office, seconds=-1.0)).hooks == 0
    await office.redis.set("github:missed:after", str(office.project.id))
    office.repository.add_hook()
    assert office.fake.requests == []
    await look(office)
    first, *_, last = (r.path for r in office.fake.sent("GET", "/hooks"))
    assert neighbour.project.repository in first
    assert office.project.repository in last


async def test_a_limit_leaves_the_rest_for_later(office: Office) -> None:
    hook = await known(office)
    failed(office, hook, "missed")
    office.fake.limits.silence(30, after=2)
    looked = await look(office)
    assert (looked.missing, looked.asked) == (1, 0)
    assert await office.redis.keys("github:asked:*") == [], "it was not asked for"


async def test_the_gauge_shows_what_is_missing(office: Office) -> None:
    hook = await known(office)
    for n in range(3):
        failed(office, hook, f"m{n}")
    outcome = await missed_deliveries(MissedDeliveries(), office.context(new_id()))
    assert isinstance(outcome, Completed)
    assert outcome.data == {"hooks": 1, "missing": 3, "asked": 3, "unreadable": []}
    assert REGISTRY.get_sample_value("webhook_deliveries_missing") == 3


async def test_without_a_login_there_is_nothing_to_look_at(office: Office) -> None:
    office.log_in()
    assert (await look(office)).hooks == 0
