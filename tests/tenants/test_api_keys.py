"""API keys: shown once, kept as a digest, and good until something ends that."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest
from pydantic import ValidationError

from worker.database.pool import Pool, Transaction, atomically
from worker.errors import NotFound
from worker.jobs.ids import new_id
from worker.jobs.paging import ById
from worker.tenants import key_text
from worker.tenants.api_keys import (
    SQL,
    ApiKeys,
    KeyCheck,
    KeyRing,
    MadeApiKey,
    NewApiKey,
    block,
    checked,
    unblock,
)
from worker.tenants.organisations import NewOrganisation, Organisations

CI = NewApiKey(name="CI")
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.fixture
async def keys(pool: Pool) -> ApiKeys:
    for name in ("acme", "other"):
        await Organisations(pool).add(NewOrganisation(id=name, name=name))
    return ApiKeys(pool, "acme")


async def told(pool: Pool, key: str) -> KeyCheck:
    return checked(await KeyRing(pool).find(key))


async def blocked(pool: Pool, key_id: UUID, reason: str = "over the limit") -> bool | None:
    async def work(connection: Transaction) -> bool | None:
        return await block(connection, "acme", key_id, reason)

    return await atomically(pool, work)


async def unblocked(pool: Pool, key_id: UUID, reason: str | None = None) -> bool | None:
    async def work(connection: Transaction) -> bool | None:
        return await unblock(connection, "acme", key_id, reason)

    return await atomically(pool, work)


def test_a_key_is_random_and_can_be_told_from_other_text() -> None:
    made = {key_text.new() for _ in range(200)}
    assert len(made) == 200
    for key in made:
        assert re.fullmatch(r"sy_[0-9A-Za-z]{49}", key)
        assert key_text.is_whole(key)
    # All 256 bits are used: the digit of the highest value takes several values, and so do others.
    assert all(len({key[place] for key in made}) > 10 for place in range(4, 46))


def test_every_typo_is_noticed_without_a_look_at_the_record() -> None:
    key = key_text.new()
    for place in range(3, len(key)):
        for digit in DIGITS:
            if digit != key[place]:
                assert not key_text.is_whole(key[:place] + digit + key[place + 1 :])
        assert not key_text.is_whole(key[:place] + key[place + 1 :])
    swapped = key[:10] + key[11] + key[10] + key[12:]
    assert key[10] == key[11] or not key_text.is_whole(swapped)


@pytest.mark.parametrize("text", ["", "sy_", "sy_" + "0" * 49, "sy_" + "é" * 49, "SY_" + "a" * 49])
def test_other_text_is_no_key(text: str) -> None:
    assert not key_text.is_whole(text)
    assert not key_text.is_whole(key_text.new() + "\n")
    assert not key_text.is_whole(" " + key_text.new())


async def test_only_a_digest_and_a_beginning_are_kept(keys: ApiKeys, pool: Pool) -> None:
    made = await keys.make(CI)
    [row] = await pool.fetch("SELECT * FROM api_keys")
    assert row["hash"] == sha256(made.key.encode()).digest()
    assert row["prefix"] == made.prefix == made.key[:11]
    everything = "".join(str(v) for v in row.values())
    assert made.key not in everything
    assert made.key[11:] not in everything
    [shown] = (await keys.page(ById())).items
    assert not isinstance(shown, MadeApiKey)
    assert "key" not in shown.model_dump()


async def test_a_good_key_tells_whose_it_is(keys: ApiKeys, pool: Pool) -> None:
    made = await keys.make(CI)
    assert await told(pool, made.key) == KeyCheck(
        valid=True, org_id="acme", key_id=made.id, name="CI"
    )
    assert made.state == "active"


async def test_nobody_knows_an_unknown_key(keys: ApiKeys, pool: Pool) -> None:
    made = await keys.make(CI)
    for key in (key_text.new(), made.key[:-1], made.key + "0", made.prefix, "", "\0", "\ud800"):
        assert await told(pool, key) == KeyCheck(valid=False, reason="unknown")


async def test_a_text_that_cannot_be_a_key_costs_no_read(keys: ApiKeys, pool: Pool) -> None:
    made = await keys.make(CI)

    class Untouched:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"the record was asked: {name}")

    typo = made.key[:-1] + ("a" if made.key[-1] != "a" else "b")
    assert await KeyRing(Untouched()).find(typo) is None  # type: ignore[arg-type]


async def test_revoked_is_for_good_and_still_shown(keys: ApiKeys, pool: Pool) -> None:
    made = await keys.make(CI)
    first, again = await keys.revoke(made.id), await keys.revoke(made.id)
    assert first == again
    assert first.state == "revoked"
    assert (await keys.unblock(made.id)).state == "revoked"
    assert (await told(pool, made.key)).reason == "revoked"
    assert [k.state for k in (await keys.page(ById())).items] == ["revoked"]
    assert await blocked(pool, made.id) is False


async def test_an_expired_key_is_no_good(keys: ApiKeys, pool: Pool) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    made = await keys.make(NewApiKey(name="CI", expires_at=soon))
    assert (await told(pool, made.key)).valid
    await pool.execute("UPDATE api_keys SET expires_at = now()")
    found = await told(pool, made.key)
    assert (found.valid, found.reason, found.org_id) == (False, "expired", "acme")


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": ""}, {"name": "a\nb"}, {"name": 7}, {},
        {"name": "x", "expiresAt": "2020-01-01T00:00:00Z"},
        {"name": "x", "expiresAt": "2120-01-01T00:00:00"}, {"name": "x", "expiresAt": "tomorrow"},
        {"name": "x", "key": "sy_mine"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(wanted: object) -> None:
    with pytest.raises(ValidationError):
        NewApiKey.model_validate(wanted)


async def test_blocked_with_a_reason_and_unblocked(keys: ApiKeys, pool: Pool) -> None:
    made = await keys.make(CI)
    assert await blocked(pool, made.id) is True
    assert await blocked(pool, made.id, "another") is False
    [shown] = (await keys.page(ById())).items
    assert (shown.state, shown.blocked_reason) == ("blocked", "over the limit")
    assert (await told(pool, made.key)).reason == "blocked"
    assert await unblocked(pool, made.id, "another") is False
    assert await unblocked(pool, made.id, "over the limit") is True
    assert await unblocked(pool, made.id) is False
    assert (await told(pool, made.key)).valid


async def test_unblocked_by_hand(keys: ApiKeys, pool: Pool) -> None:
    made = await keys.make(CI)
    await blocked(pool, made.id)
    assert (await keys.unblock(made.id)).state == "active"
    assert (await keys.unblock(made.id)).state == "active"
    assert await unblocked(pool, made.id, "over the limit") is False


async def test_many_at_once_block_a_key_once(keys: ApiKeys, pool: Pool) -> None:
    made = await keys.make(CI)
    answers = await asyncio.gather(*(blocked(pool, made.id, f"r{n}") for n in range(8)))
    assert sorted(map(str, answers)) == ["False"] * 7 + ["True"]


async def test_keys_of_others_are_out_of_reach(keys: ApiKeys, pool: Pool) -> None:
    other = ApiKeys(pool, "other")
    theirs = await other.make(CI)
    for key_id in (theirs.id, new_id()):
        with pytest.raises(NotFound, match="no API key"):
            await keys.revoke(key_id)
        with pytest.raises(NotFound, match="no API key"):
            await keys.unblock(key_id)
        assert await blocked(pool, key_id) is None
        assert await unblocked(pool, key_id) is None
    assert (await keys.page(ById())).items == []
    assert (await told(pool, theirs.key)).valid


async def test_an_organisation_that_is_not_there_has_no_keys(pool: Pool) -> None:
    nobody = ApiKeys(pool, "nobody")
    with pytest.raises(NotFound, match="no organisation"):
        await nobody.make(CI)
    with pytest.raises(NotFound, match="no organisation"):
        await nobody.page(ById())


async def test_pages_follow_each_other(keys: ApiKeys) -> None:
    made = [await keys.make(NewApiKey(name=f"k{n}")) for n in range(3)]
    first = await keys.page(ById(limit=2))
    rest = await keys.page(ById.model_validate({"limit": 2, "cursor": first.next}))
    assert [k.id for k in (*first.items, *rest.items)] == [m.id for m in made]
    assert rest.next is None


async def test_use_is_noted_to_the_minute(keys: ApiKeys, pool: Pool) -> None:
    ring, made = KeyRing(pool), await keys.make(CI)
    row = await ring.find(made.key)
    assert row is not None
    assert row["stale"]
    await ring.note_use([made.id, made.id, new_id()])
    noted = await pool.fetchval("SELECT last_used_at FROM api_keys")
    row = await ring.find(made.key)
    assert row is not None
    assert not row["stale"]
    await ring.note_use([made.id])
    assert await pool.fetchval("SELECT last_used_at FROM api_keys") == noted
    await pool.execute("UPDATE api_keys SET last_used_at = last_used_at - interval '61 seconds'")
    await ring.note_use([made.id])
    assert await pool.fetchval("SELECT last_used_at FROM api_keys") > noted


async def test_a_check_is_one_indexed_read(keys: ApiKeys, pool: Pool) -> None:
    await keys.make(CI)
    await pool.execute(
        "INSERT INTO api_keys (id, org_id, name, prefix, hash)"
        " SELECT gen_random_uuid(), 'acme', 'k', 'p', sha256(n::text::bytea)"
        " FROM generate_series(1, 5000) n; ANALYZE api_keys"
    )
    plan = await pool.fetch(f"EXPLAIN {SQL.find.replace('$1', repr(chr(92) + 'x00') + '::bytea')}")
    text = "\n".join(row[0] for row in plan)
    assert "Index Scan using api_keys_hash_key" in text
    assert "Seq Scan" not in text
