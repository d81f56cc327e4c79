"""Filters: every event that is ever told can be asked for by name."""

from typing import get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.outgoing.records import counts, endpoint
from worker.database.pool import Pool, atomically
from worker.handlers import REGISTRY
from worker.jobs.tenant_payloads import NotificationType
from worker.outgoing.filters import EVENTS, EventFilters
from worker.outgoing.messages import NewMessage, emit

FILTERS = TypeAdapter[list[str]](EventFilters)


def test_the_events_of_every_kind_of_job_of_a_project_are_known() -> None:
    found = [r for r in map(REGISTRY.get, REGISTRY.kinds()) if r.needs_project]
    names = {f"project.{name}" for r in found for name in (r.completed_event, r.failed_event)}
    assert len(names) > 4
    assert names <= EVENTS


def test_every_type_of_notification_is_known() -> None:
    assert {f"notification.{name}" for name in get_args(NotificationType)} <= EVENTS


@pytest.mark.parametrize("name", ["*", "usage.*", "project.*", "notification.*", *sorted(EVENTS)])
def test_what_is_known_may_be_wanted(name: str) -> None:
    assert FILTERS.validate_python([name, name]) == [name]


@pytest.mark.parametrize(
    "name", ["", "x", "x.*", "usage.", "usage.x", "*.*", "endpoint", "Usage.*"]
)
def test_what_nobody_knows_may_not(name: str) -> None:
    with pytest.raises(ValidationError):
        FILTERS.validate_python([name])


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ("*", True), ("feature.*", True), ("feature.disabled", True),
        ("feature.restored", False), ("usage.*", False), ("api_key.*", False),
    ],
)  # fmt: skip
async def test_a_filter_takes_what_it_says(pool: Pool, wanted: str, matches: bool) -> None:
    await endpoint(pool, events=["endpoint.test", wanted])
    message = NewMessage("acme", "feature.disabled", {}, "k")
    await atomically(pool, lambda connection: emit(connection, [message]))
    assert (await counts(pool))["deliveries"] == int(matches)
