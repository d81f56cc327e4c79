"""Automatic actions: taken once a job, and taken back once, by time or by hand."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tenants.limiting import PLANNER, Customer
from tests.test_sql import nodes
from worker.database.pool import Pool
from worker.errors import Conflict, NotFound, PermanentError
from worker.jobs.ids import new_id
from worker.jobs.tenant_payloads import AutoAction, Notification
from worker.tenants.actions import AutomaticActions, applying, restore_due, reverting
from worker.tenants.actions.model import ActionsQuery, Reverted
from worker.tenants.flags import Flags

NOW = datetime.now(UTC)
SOON, LATER = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
THRESHOLD = {
    "metric": "calls", "period": "month", "periodStart": "2026-06-01T00:00:00Z",
    "periodEnd": "2026-07-01T00:00:00Z", "percent": 100, "quantity": 12, "limit": 10,
}  # fmt: skip


@pytest.fixture
async def acme(pool: Pool) -> Customer:
    return await Customer.enrolled(pool)


def wire(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


async def revert(acme: Customer, action_id: UUID, by: str = "operator") -> Reverted:
    return await AutomaticActions(acme.pool).revert(acme.id, action_id, by)


async def rows(pool: Pool) -> list[dict[str, Any]]:
    return [dict(r) for r in await pool.fetch("SELECT * FROM automatic_actions ORDER BY id")]


async def test_a_feature_is_disabled_and_all_that_tells_of_it_is_recorded(acme: Customer) -> None:
    applied = await acme.act(threshold=THRESHOLD, restoreAt=wire(SOON))
    assert (applied.status, applied.action.changed, applied.action.active) == (
        "applied",
        True,
        True,
    )
    assert await acme.flag() == (False, "abuse")
    assert await acme.audited() == ["feature.disabled"]
    assert await acme.told() == ["feature.disabled"]
    [message] = await acme.messages()
    known = {"actionId": str(applied.action.id), "feature": "search", "reason": "abuse"}
    assert message == known | THRESHOLD | {"restoreAt": wire(SOON)}
    [job] = await acme.jobs("notification")
    notification = Notification.model_validate(job)
    assert (notification.type, notification.data) == ("feature_disabled", message)
    assert len(applied.rings) == 2


async def test_a_key_is_blocked_and_the_notice_says_which(acme: Customer) -> None:
    applied = await acme.act("block_api_key", str(acme.key_id).upper(), threshold=THRESHOLD)
    assert applied.action.target_id == str(acme.key_id)
    assert await acme.blocked() == "abuse"
    assert await acme.audited() == await acme.told() == ["api_key.blocked"]
    [job] = await acme.jobs("notification")
    assert job["type"] == "limit_exceeded"
    assert job["data"]["apiKeyId"] == str(acme.key_id)
    assert job["data"]["limit"] == 10


async def test_a_notification_is_asked_for_once_a_threshold(acme: Customer) -> None:
    for _ in range(2):
        applied = await acme.act("send_notification", "threshold_warning", threshold=THRESHOLD)
        assert (applied.status, applied.action.active) == ("applied", False)
    [job] = await acme.jobs("notification")
    assert job["type"] == "threshold_warning"
    assert job["data"] == THRESHOLD | {"reason": "abuse"}
    assert await acme.audited() == ["notification.requested"] * 2
    assert await acme.told() == []


async def test_what_is_sent_is_not_restored_nor_taken_back(acme: Customer) -> None:
    applied = await acme.act("send_notification", "limit_exceeded", restoreAt=wire(SOON))
    assert await restore_due(acme.pool, LATER) == []
    with pytest.raises(Conflict, match="cannot be taken back"):
        await revert(acme, applied.action.id)


async def test_the_same_job_acts_once_also_at_once(pool: Pool, acme: Customer) -> None:
    job_id = new_id()
    done = await asyncio.gather(*(acme.act(job_id=job_id) for _ in range(8)))
    assert sorted(a.status for a in done) == ["applied"] + ["repeated"] * 7
    assert len({a.action.id for a in done}) == 1
    assert [len(a.rings) for a in done if a.status == "repeated"] == [0] * 7
    await acme.switch(enabled=True)
    assert (await acme.act(job_id=job_id)).status == "repeated"
    assert await acme.flag() == (True, None), "what a person did afterwards stays"
    assert len(await rows(pool)) == 1
    assert (await acme.told(), await acme.audited()) == (["feature.disabled"],) * 2
    assert len(await acme.jobs("notification")) == 1


async def test_what_was_so_already_is_not_changed_nor_told(acme: Customer) -> None:
    await acme.switch(enabled=False)
    applied = await acme.act(restoreAt=wire(SOON))
    assert (applied.status, applied.action.changed, applied.action.active) == (
        "unchanged", False, False,
    )  # fmt: skip
    assert applied.action.restore_at is None
    assert (await acme.told(), await acme.jobs("notification")) == ([], [])
    assert await acme.audited() == ["automatic_action.skipped"]
    await restore_due(acme.pool, LATER)
    assert await acme.flag() == (False, None), "who disabled it was a person"
    with pytest.raises(Conflict, match="changed nothing"):
        await revert(acme, applied.action.id)


@pytest.mark.parametrize(
    ("action", "target", "advice"),
    [
        ("disable_feature", "nothing", "Make the flag"),
        ("block_api_key", "nothing", "Mend the rule"),
        ("block_api_key", "01890a5d-ac96-774b-bcce-b302099a8057", "Mend the rule"),
        ("send_notification", "birthday", "there are threshold_warning"),
    ],
)
async def test_an_unknown_target_is_for_good_and_leaves_nothing(
    pool: Pool, acme: Customer, action: str, target: str, advice: str
) -> None:
    with pytest.raises(PermanentError, match=advice):
        await acme.act(action, target)
    assert (await rows(pool), await acme.audited()) == ([], [])


async def test_another_organisations_targets_are_unknown(pool: Pool, acme: Customer) -> None:
    other = await Customer.enrolled(pool, "other")
    with pytest.raises(PermanentError, match="has no API key"):
        await other.act("block_api_key", str(acme.key_id))
    nobody = Customer(pool, "nobody", acme.key_id)
    with pytest.raises(PermanentError, match="no organisation 'nobody'"):
        await nobody.act()
    with pytest.raises(PermanentError, match="no organisation 'nobody'"):
        await nobody.act("send_notification", "limit_exceeded")


async def test_what_comes_after_its_time_is_not_applied(acme: Customer) -> None:
    applied = await acme.act(restoreAt=wire(NOW - timedelta(hours=1)))
    assert (applied.status, applied.action.changed) == ("late", False)
    assert "it was to end before it could begin" in applied.action.reason
    assert await acme.flag() == (True, None)
    assert await acme.audited() == ["automatic_action.skipped"]
    assert (await acme.told(), await acme.jobs("notification")) == ([], [])


@pytest.mark.parametrize("action", ["disable_feature", "block_api_key"])
async def test_it_is_undone_when_its_time_is_over(acme: Customer, action: str) -> None:
    target = "search" if action == "disable_feature" else str(acme.key_id)
    applied = await acme.act(action, target, restoreAt=wire(SOON))
    assert await restore_due(acme.pool, NOW) == []
    assert await restore_due(acme.pool) == []
    assert len(await restore_due(acme.pool, SOON)) == 1
    assert (await acme.flag(), await acme.blocked()) == ((True, None), None)
    name = applied.action.action.replace("disable_feature", "feature").removeprefix("block_")
    assert (await acme.told())[1:] == (await acme.audited())[1:] == [f"{name}.restored"]
    now = await AutomaticActions(acme.pool).get(acme.id, applied.action.id)
    assert (now.active, now.reverted_by) == (False, "period end")
    assert await restore_due(acme.pool, LATER) == []


async def test_restoring_twice_at_once_is_once(pool: Pool, acme: Customer) -> None:
    await acme.act(restoreAt=wire(SOON))
    done = await asyncio.gather(*(restore_due(pool, SOON) for _ in range(4)))
    assert sum(map(len, done)) == 1
    assert await acme.told() == ["feature.disabled", "feature.restored"]


@pytest.mark.parametrize("then", [True, False])
async def test_what_a_person_has_changed_since_stays(acme: Customer, then: bool) -> None:
    applied = await acme.act(restoreAt=wire(SOON))
    await acme.switch(enabled=True)
    await acme.switch(enabled=then)
    with pytest.raises(Conflict, match="changed since"):
        await revert(acme, applied.action.id)
    assert (await AutomaticActions(acme.pool).get(acme.id, applied.action.id)).active
    assert await restore_due(acme.pool, SOON) == []
    assert await acme.flag() == (then, None)
    assert await acme.told() == ["feature.disabled"]


async def test_a_flag_that_is_gone_is_nothing_to_restore(acme: Customer) -> None:
    applied = await acme.act(restoreAt=wire(SOON))
    await Flags(acme.pool, acme.id).delete("search")
    with pytest.raises(Conflict, match="changed since"):
        await revert(acme, applied.action.id)
    assert await restore_due(acme.pool, SOON) == []


async def test_an_action_is_reverted_by_hand_once(acme: Customer) -> None:
    applied = await acme.act()
    reverted = await revert(acme, applied.action.id)
    assert (reverted.status, reverted.heir) == ("reverted", None)
    assert (reverted.action.active, reverted.action.reverted_by) == (False, "operator")
    assert await acme.flag() == (True, None)
    assert await acme.audited() == ["feature.disabled", "feature.restored"]
    [_, message] = await acme.messages()
    assert message == {
        "actionId": str(applied.action.id), "feature": "search", "by": "operator",
    }  # fmt: skip
    again = await revert(acme, applied.action.id, "another")
    assert (again.status, again.action, again.rings) == ("repeated", reverted.action, [])
    assert len(await acme.told()) == 2


async def test_only_its_own_organisation_has_an_action(pool: Pool, acme: Customer) -> None:
    other = await Customer.enrolled(pool, "other")
    applied = await acme.act()
    with pytest.raises(NotFound):
        await revert(other, applied.action.id)
    with pytest.raises(NotFound):
        await AutomaticActions(pool).get("other", applied.action.id)
    with pytest.raises(NotFound):
        await AutomaticActions(pool).page("nobody", ActionsQuery())
    assert (await AutomaticActions(pool).page("other", ActionsQuery())).items == []


@pytest.mark.parametrize("longer", ["first", "second"])
async def test_of_two_actions_the_last_one_brings_it_back(acme: Customer, longer: str) -> None:
    ends = (LATER, SOON) if longer == "first" else (SOON, LATER)
    first = await acme.act(reason="calls", restoreAt=wire(ends[0]))
    second = await acme.act(reason="seats", restoreAt=wire(ends[1]))
    assert (second.status, second.action.waits, second.action.active) == ("waits", True, True)
    assert await restore_due(acme.pool, SOON) == []
    reason = "calls" if longer == "first" else "seats"
    assert await acme.flag() == (False, reason)
    assert len(await restore_due(acme.pool, LATER)) == 1
    assert await acme.flag() == (True, None)
    assert await acme.told() == ["feature.disabled", "feature.restored"]
    shown = await AutomaticActions(acme.pool).page(acme.id, ActionsQuery())
    assert [a.reverted_by for a in shown.items] == ["period end"] * 2
    assert first.action.id == shown.items[1].id


async def test_who_waits_takes_the_place_of_what_is_reverted(acme: Customer) -> None:
    first = await acme.act(reason="calls")
    second = await acme.act(reason="seats", restoreAt=wire(SOON))
    third = await acme.act(reason="bytes")
    with pytest.raises(Conflict, match=str(first.action.id)):
        await revert(acme, third.action.id)
    reverted = await revert(acme, first.action.id)
    assert (reverted.status, reverted.heir) == ("passed_on", third.action.id)
    assert await acme.flag() == (False, "bytes"), "the one that lasts longest"
    assert (await acme.audited())[-1] == "automatic_action.passed_on"
    assert (await revert(acme, third.action.id)).heir == second.action.id
    assert await acme.flag() == (False, "seats")
    assert await acme.told() == ["feature.disabled"]
    assert (await revert(acme, second.action.id)).heir is None
    assert await acme.flag() == (True, None)


async def test_who_was_overruled_has_no_say_any_more(pool: Pool, acme: Customer) -> None:
    first = await acme.act(reason="calls", restoreAt=wire(LATER))
    await acme.act(reason="seats", restoreAt=wire(LATER))
    await acme.switch(enabled=True)
    third = await acme.act(reason="bytes", restoreAt=wire(SOON))
    assert third.status == "applied"
    assert [r["reverted_by"] for r in await rows(pool)] == ["a person", "a person", None]
    assert (await revert(acme, first.action.id)).status == "repeated"
    assert len(await restore_due(pool, SOON)) == 1
    assert await acme.flag() == (True, None)


async def test_actions_on_one_target_at_once_have_one_holder(pool: Pool, acme: Customer) -> None:
    done = await asyncio.gather(*(acme.act(reason=f"r{n}") for n in range(8)))
    assert sorted(a.status for a in done) == ["applied"] + ["waits"] * 7
    holders = 0
    while not (await acme.flag())[0]:
        [holder] = [r for r in await rows(pool) if r["changed"] and not r["reverted_at"]]
        await revert(acme, holder["id"])
        holders += 1
    assert holders == 8


async def test_who_reverts_waits_for_who_is_just_acting(pool: Pool, acme: Customer) -> None:
    first = await acme.act(reason="calls")
    wanted = AutoAction(
        org_id=acme.id, action="disable_feature", target_id="search", reason="seats"
    )  # fmt: skip
    async with pool.acquire() as connection:
        acting = connection.transaction()
        await acting.start()
        second = await applying.apply(connection, new_id(), wanted, PLANNER.job)
        reverting_it = asyncio.create_task(revert(acme, first.action.id))
        await asyncio.wait([reverting_it], timeout=0.2)
        assert not reverting_it.done()
        await acting.commit()
        assert (await reverting_it).heir == second.action.id
    assert await acme.flag() == (False, "seats")


async def test_actions_are_listed_newest_first_by_what_is_asked(acme: Customer) -> None:
    ids = [
        (await acme.act()).action.id,
        (await acme.act("send_notification", "limit_exceeded")).action.id,
        (await acme.act("block_api_key", str(acme.key_id))).action.id,
    ]
    await revert(acme, ids[0])
    actions = AutomaticActions(acme.pool)

    async def listed(**wanted: Any) -> list[UUID]:
        return [a.id for a in (await actions.page(acme.id, ActionsQuery(**wanted))).items]

    assert await listed() == ids[::-1]
    assert await listed(active=True) == [ids[2]]
    assert await listed(active=False) == ids[1::-1]
    assert await listed(action="disable_feature") == [ids[0]]
    first = await actions.page(acme.id, ActionsQuery(limit=2))
    assert first.next is not None
    assert await listed(limit=2, cursor=first.next) == [ids[0]]


HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("act"), st.sampled_from([1, 2, 3, None])),
        st.tuples(st.just("revert"), st.integers(0, 5)),
        st.tuples(st.just("time")),
    ),
    max_size=10,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(happenings=HAPPENINGS)
async def test_a_feature_is_off_as_long_as_any_action_wants_it(
    pool: Pool, happenings: list[Any]
) -> None:
    acme = await Customer.enrolled(pool, f"o{new_id()}")
    clock, wishes = 0, dict[UUID, int | None]()
    for number, happening in enumerate(happenings):
        match happening:
            case ("act", hours):
                end = None if hours is None else clock + hours
                more: dict[str, Any] = (
                    {} if end is None else {"restoreAt": wire(NOW + end * timedelta(hours=1))}
                )
                applied = await acme.act(reason=f"r{number}", **more)
                wishes[applied.action.id] = end
            case ("revert", which) if which < len(wishes):
                chosen = list(wishes)[which]
                if (await AutomaticActions(pool).get(acme.id, chosen)).waits:
                    with pytest.raises(Conflict, match="revert that one"):
                        await revert(acme, chosen)
                else:
                    await revert(acme, chosen)
                    del wishes[chosen]
            case ("time",):
                clock += 1
                await restore_due(pool, NOW + clock * timedelta(hours=1))
                wishes = {i: end for i, end in wishes.items() if end is None or end > clock}
        assert (await acme.flag())[0] == (not wishes)
        shown = await AutomaticActions(pool).page(acme.id, ActionsQuery(active=True))
        assert {a.id for a in shown.items} == set(wishes)
        assert sum(a.changed for a in shown.items) == bool(wishes)


@pytest.mark.parametrize("name", ["holder", "heir", "overrule", "due"])
async def test_what_is_active_is_found_by_an_index(pool: Pool, name: str) -> None:
    await Customer.enrolled(pool)
    await pool.execute("""
        INSERT INTO automatic_actions (id, org_id, job_id, action, target_id, reason, changed,
            restore_at, reverted_at, reverted_by)
        SELECT gen_random_uuid(), 'acme', gen_random_uuid(), 'disable_feature', 'f' || n % 500, 'r',
            true, now(), CASE WHEN n > 50 THEN now() END, CASE WHEN n > 50 THEN 'x' END
        FROM generate_series(1, 10000) n;
        ANALYZE automatic_actions;
    """)
    sql = vars(applying.SQL).get(name) or vars(reverting.SQL)[name]
    more = {"heir": ", NULL", "overrule": f", '{new_id()}'"}.get(name, "")
    given = "NULL, 500" if name == "due" else f"'acme', 'disable_feature', 'f3'{more}"
    async with pool.acquire() as connection:
        await connection.execute(
            f"SET plan_cache_mode = force_generic_plan; PREPARE looking AS {sql}"
        )
        try:
            [[found]] = await connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE looking ({given})")
        finally:
            await connection.execute("DEALLOCATE looking; RESET plan_cache_mode")
    read = [n for n in nodes(found[0]["Plan"]) if "Scan" in n["Node Type"]]
    assert {n["Node Type"] for n in read} <= {"Index Scan", "Bitmap Heap Scan", "Bitmap Index Scan"}
    indexes = {n["Index Name"] for n in read if "Index Name" in n}
    assert indexes == {f"automatic_actions_{'to_restore' if name == 'due' else 'active'}"}
