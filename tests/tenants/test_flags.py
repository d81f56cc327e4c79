"""Feature flags: switched by people and by automatic actions, which never undo each other."""

import asyncio

import pytest

from worker.database.pool import Pool, Transaction, atomically
from worker.errors import InvalidInput, NotFound
from worker.jobs.overview import ByName
from worker.tenants.flags import Evaluation, Flags, WantedFlag, disable, enable
from worker.tenants.organisations import NewOrganisation, Organisations

ON, OFF = WantedFlag(enabled=True), WantedFlag(enabled=False)


@pytest.fixture
async def flags(pool: Pool) -> Flags:
    for name in ("acme", "other"):
        await Organisations(pool).add(NewOrganisation(id=name, name=name))
    return Flags(pool, "acme")


async def disabled(pool: Pool, key: str = "exports", reason: str = "over the limit") -> bool | None:
    async def work(connection: Transaction) -> bool | None:
        return await disable(connection, "acme", key, reason)

    return await atomically(pool, work)


async def enabled(pool: Pool, key: str = "exports", reason: str | None = None) -> bool | None:
    async def work(connection: Transaction) -> bool | None:
        return await enable(connection, "acme", key, reason)

    return await atomically(pool, work)


async def test_a_flag_is_made_switched_and_forgotten(flags: Flags) -> None:
    made = await flags.put("exports", WantedFlag(enabled=True, description="CSV exports"))
    off = await flags.put("exports", OFF)
    assert (made.enabled, off.enabled, off.description) == (True, False, "CSV exports")
    assert await flags.evaluate("exports") == Evaluation(key="exports", enabled=False)
    assert await flags.delete("exports") == off
    with pytest.raises(NotFound, match="no flag 'exports' of 'acme'"):
        await flags.evaluate("exports")
    with pytest.raises(NotFound):
        await flags.delete("exports")


async def test_flags_of_others_are_out_of_reach(flags: Flags, pool: Pool) -> None:
    await flags.put("exports", ON)
    with pytest.raises(NotFound):
        await Flags(pool, "other").evaluate("exports")
    await Flags(pool, "other").put("exports", OFF)
    assert (await flags.evaluate("exports")).enabled
    assert [f.enabled for f in (await flags.page(ByName())).items] == [True]


async def test_an_organisation_that_is_not_there_has_no_flags(pool: Pool) -> None:
    nobody = Flags(pool, "nobody")
    with pytest.raises(NotFound, match="no organisation"):
        await nobody.put("exports", ON)
    with pytest.raises(NotFound, match="no organisation"):
        await nobody.page(ByName())


@pytest.mark.parametrize("key", ["", "a b", "a/b", "é", "-a", "a" * 101, "a\n", "a\0", "\ud800"])
async def test_what_cannot_be_a_key_is_refused_and_not_found(flags: Flags, key: str) -> None:
    with pytest.raises(InvalidInput) as error:
        await flags.put(key, ON)
    assert set(error.value.fields) == {"key"}
    with pytest.raises(NotFound):
        await flags.evaluate(key)


async def test_pages_follow_each_other(flags: Flags) -> None:
    for key in ("c", "a", "b"):
        await flags.put(key, ON)
    first = await flags.page(ByName(limit=2))
    rest = await flags.page(ByName.model_validate({"limit": 2, "cursor": first.next}))
    assert [f.key for f in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert rest.next is None


async def test_an_automatic_action_says_why_and_changes_once(flags: Flags, pool: Pool) -> None:
    await flags.put("exports", ON)
    assert await disabled(pool) is True
    told = await flags.evaluate("exports")
    assert (told.enabled, told.reason) == (False, "over the limit")
    assert await disabled(pool, reason="another") is False
    assert (await flags.evaluate("exports")).reason == "over the limit"
    assert await enabled(pool) is True
    assert await flags.evaluate("exports") == Evaluation(key="exports", enabled=True)
    assert await enabled(pool) is False


async def test_what_does_not_exist_can_be_neither_disabled_nor_enabled(
    flags: Flags, pool: Pool
) -> None:
    assert flags is not None
    assert await disabled(pool) is None
    assert await enabled(pool) is None


async def test_many_at_once_change_a_flag_once(flags: Flags, pool: Pool) -> None:
    await flags.put("exports", ON)
    answers = await asyncio.gather(*(disabled(pool, reason=f"r{n}") for n in range(8)))
    assert sorted(map(str, answers)) == ["False"] * 7 + ["True"]
    told = (await flags.evaluate("exports")).reason
    assert told == f"r{answers.index(True)}"


async def test_what_a_person_decided_meanwhile_is_left_alone(flags: Flags, pool: Pool) -> None:
    await flags.put("exports", ON)
    await disabled(pool)
    await flags.put("exports", OFF)  # now it is off because somebody wants it so
    assert (await flags.page(ByName())).items[0].disabled_reason is None
    assert await enabled(pool, reason="over the limit") is False
    assert not (await flags.evaluate("exports")).enabled
    await flags.put("exports", ON)
    assert await flags.evaluate("exports") == Evaluation(key="exports", enabled=True)


async def test_only_the_reason_it_was_disabled_for_enables_it(flags: Flags, pool: Pool) -> None:
    await flags.put("exports", ON)
    await disabled(pool, reason="first")
    assert await enabled(pool, reason="second") is False
    assert await enabled(pool, reason="first") is True


async def test_it_is_part_of_the_callers_transaction(flags: Flags, pool: Pool) -> None:
    await flags.put("exports", ON)

    async def work(connection: Transaction) -> None:
        await disable(connection, "acme", "exports", "x")
        raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        await atomically(pool, work)
    assert (await flags.evaluate("exports")).enabled
