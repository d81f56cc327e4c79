"""Organisations in the record."""

import asyncio

import asyncpg
import pytest
from pydantic import ValidationError

from worker.database.pool import Pool
from worker.errors import Conflict, InvalidInput, NotFound
from worker.jobs.overview import ByName
from worker.tenants.organisations import NewOrganisation, OrganisationChange, Organisations

ACME = NewOrganisation(id="acme", name="Acme", timezone="Europe/Warsaw", email="ops@acme.example")


async def test_what_is_added_is_found(pool: Pool) -> None:
    organisations = Organisations(pool)
    added = await organisations.add(ACME)
    assert (added.id, added.name, added.email) == ("acme", "Acme", "ops@acme.example")
    assert added.zone.key == "Europe/Warsaw"
    assert await organisations.get("acme") == await organisations.require("acme") == added


async def test_an_id_is_taken_once_however_many_want_it(pool: Pool) -> None:
    organisations = Organisations(pool)
    results = await asyncio.gather(
        *(organisations.add(NewOrganisation(id="acme", name=f"n{n}")) for n in range(8)),
        return_exceptions=True,
    )
    assert sum(isinstance(r, Conflict) for r in results) == 7
    [winner] = [r for r in results if not isinstance(r, BaseException)]
    assert await organisations.get("acme") == winner


async def test_only_what_is_given_changes(pool: Pool) -> None:
    organisations = Organisations(pool)
    before = await organisations.add(ACME)
    named = await organisations.change("acme", OrganisationChange(name="Acme Inc."))
    assert (named.name, named.timezone, named.email) == (
        "Acme Inc.", before.timezone, before.email
    )  # fmt: skip
    moved = await organisations.change("acme", OrganisationChange(timezone="Asia/Kathmandu"))
    assert (moved.timezone, moved.email) == ("Asia/Kathmandu", before.email)
    silent = await organisations.change("acme", OrganisationChange(email=None))
    assert (silent.name, silent.email) == ("Acme Inc.", None)
    assert silent.updated_at > before.updated_at == before.created_at


@pytest.mark.parametrize("org_id", ["nobody", "a\0b", "\ud800", "", "x" * 1000])
async def test_what_does_not_exist_is_not_found(pool: Pool, org_id: str) -> None:
    organisations = Organisations(pool)
    with pytest.raises(NotFound, match="There is no organisation"):
        await organisations.get(org_id)
    with pytest.raises(NotFound):
        await organisations.change(org_id, OrganisationChange(name="x"))
    with pytest.raises(InvalidInput) as error:
        await organisations.require(org_id)
    assert error.value.fields == {"orgId": "there is no such organisation"}


async def test_pages_follow_each_other(pool: Pool) -> None:
    organisations = Organisations(pool)
    for name in ("c", "a", "b"):
        await organisations.add(NewOrganisation(id=name, name=name))
    first = await organisations.page(ByName(limit=2))
    rest = await organisations.page(ByName.model_validate({"limit": 2, "cursor": first.next}))
    assert [o.id for o in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert rest.next is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""), ("id", "-a"), ("id", "a b"), ("id", "a/b"), ("id", "a\n"), ("id", "é"),
        ("id", "a" * 201), ("id", 7), ("name", ""), ("name", "a\nb"), ("name", "x" * 201),
        ("timezone", "Mars/Olympus"), ("timezone", "../../etc/passwd"), ("timezone", ""),
        ("timezone", "localtime"), ("timezone", "Factory"), ("timezone", "europe/warsaw"),
        ("timezone", "UTC\0"), ("timezone", "posix/UTC"), ("timezone", "x" * 101),
        ("email", "acme"), ("email", "a@b"), ("email", "a@b.c, d@e.f"), ("email", "a@b.c\nBcc: d"),
        ("email", "<a@b.example>"), ("email", "a b@c.example"), ("email", ".a@b.example"),
        ("email", "a..b@c.example"), ("email", "a@-b.example"), ("email", "a@b..example"),
        ("email", f"{'a' * 250}@b.example"), ("email", ""), ("email", "é@b.example"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_name(field: str, value: object) -> None:
    wanted = {"id": "acme", "name": "Acme"} | {field: value}
    with pytest.raises(ValidationError) as error:
        NewOrganisation.model_validate(wanted)
    assert [e["loc"] for e in error.value.errors()] == [(field,)]


@pytest.mark.parametrize("email", ["a@b.example", "first.last+tag@mail.b-c.example", "o'x@b.co"])
def test_addresses_that_work_are_taken(email: str) -> None:
    assert NewOrganisation(id="a", name="a", email=email).email == email


@pytest.mark.parametrize("change", [{}, {"name": None}, {"timezone": None}, {"id": "other"}])
def test_a_change_must_say_something_and_take_nothing_essential(change: object) -> None:
    with pytest.raises(ValidationError):
        OrganisationChange.model_validate(change)


async def test_an_organisation_with_a_history_stays(pool: Pool) -> None:
    """There is no call to delete one; the record itself refuses while anything hangs on it."""
    await Organisations(pool).add(ACME)
    await pool.execute("INSERT INTO feature_flags (org_id, key) VALUES ('acme', 'f')")
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await pool.execute("DELETE FROM organisations WHERE id = 'acme'")
