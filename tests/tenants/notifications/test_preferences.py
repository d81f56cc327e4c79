"""What an organisation chose, and what holds where it chose nothing."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from tests.tenants.notifications.records import ORG, organisation
from worker.database.pool import Pool, atomically
from worker.errors import NotFound
from worker.jobs.tenant_payloads import NotificationType
from worker.tenants.notifications.preferences import (
    NewPreferences,
    Preferences,
    PreferenceStore,
    chosen_channels,
)

TYPES = set(get_args(NotificationType))
EMAIL = {type_: ["email"] for type_ in TYPES}


async def shown(pool: Pool, **wanted: Any) -> dict[str, Any]:
    """What holds after these choices."""
    chosen = NewPreferences.model_validate(wanted)
    return (await PreferenceStore(pool).replace(ORG, chosen)).model_dump(by_alias=True)


def test_there_is_a_choice_for_every_type() -> None:
    assert set(Preferences.model_fields) == TYPES
    assert set(NewPreferences.model_fields) == TYPES
    assert {f.alias for f in Preferences.model_fields.values()} == TYPES


@pytest.mark.parametrize(
    ("email", "default"), [("ops@acme.example", ["email"]), (None, ["webhook"])]
)
async def test_without_a_choice_it_is_email_where_there_is_an_address(
    pool: Pool, email: str | None, default: list[str]
) -> None:
    await organisation(pool, email)
    held = await PreferenceStore(pool).get(ORG)
    assert held.model_dump(by_alias=True) == dict.fromkeys(TYPES, default)


async def test_choices_replace_those_before(pool: Pool) -> None:
    await organisation(pool)
    first = await shown(pool, threshold_warning="off", limit_exceeded=["webhook", "email"])
    assert first == EMAIL | {
        "threshold_warning": "off", "limit_exceeded": ["email", "webhook"],
    }  # fmt: skip
    second = await shown(pool, limit_exceeded="webhook", feature_disabled=[])
    assert second == EMAIL | {
        "limit_exceeded": ["webhook"], "feature_disabled": "off",
    }  # fmt: skip
    assert second == (await PreferenceStore(pool).get(ORG)).model_dump(by_alias=True)
    assert await shown(pool) == EMAIL


async def test_what_is_answered_may_be_sent_back(pool: Pool) -> None:
    await organisation(pool)
    first = await shown(pool, threshold_warning="off", limit_exceeded=["email", "webhook"])
    assert await shown(pool, **first) == first


@pytest.mark.parametrize(
    "wrong",
    ["sms", "", 5, True, {}, ["email", "pigeon"], ["off"], [["email"]], "EMAIL"],
)
def test_other_channels_are_refused(wrong: object) -> None:
    with pytest.raises(ValidationError) as caught:
        NewPreferences.model_validate({"limit_exceeded": wrong})
    assert [e["loc"] for e in caught.value.errors()] == [("limit_exceeded",)]


def test_other_types_are_refused() -> None:
    for unknown in ("limitExceeded", "weather"):
        with pytest.raises(ValidationError):
            NewPreferences.model_validate({unknown: "email"})


async def test_a_choice_is_read_in_the_transaction_that_acts_on_it(pool: Pool) -> None:
    acme = await organisation(pool)
    await shown(pool, limit_exceeded="off")
    found = [
        await atomically(pool, lambda c, t=t: chosen_channels(c, acme, t))  # type: ignore[misc]
        for t in ("limit_exceeded", "threshold_warning")
    ]
    assert found == [[], ["email"]]


async def test_an_unknown_organisation_has_none(pool: Pool) -> None:
    for org_id in ("nobody", "a\0b"):
        with pytest.raises(NotFound):
            await PreferenceStore(pool).get(org_id)
        with pytest.raises(NotFound):
            await PreferenceStore(pool).replace(org_id, NewPreferences())
