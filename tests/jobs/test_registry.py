"""The registry: a kind is the name of its handler."""

from typing import Any

import pytest

from worker.jobs.model import Completed, JobResult, Outcome
from worker.jobs.payloads import Cleanup, Maintenance
from worker.jobs.registry import Registry


async def test_a_handler_is_found_by_its_name() -> None:
    registry = Registry()

    @registry.handles(Cleanup, queue="cleanup")
    async def cleanup(job: Cleanup, ctx: Any) -> Outcome:
        return Completed(task_name=job.task, ctx=ctx)

    found = registry.get("cleanup")
    assert (found.kind, found.queue, found.payload) == ("cleanup", "cleanup", Cleanup)
    assert (found.completed_event, found.failed_event) == ("cleanup_completed", "cleanup_failed")
    assert registry.kinds() == ["cleanup"]
    assert registry.queues() == {"cleanup"}
    outcome = await found.handler(Cleanup(task="old_clones"), "context")
    assert isinstance(outcome, Completed)
    assert outcome.data == {"taskName": "old_clones", "ctx": "context"}


def test_two_handlers_for_a_kind_are_refused() -> None:
    registry = Registry()

    async def usage_aggregation(job: Maintenance, ctx: Any) -> Outcome:
        return Completed(str((job, ctx)))

    registry.handles(Maintenance, queue="flagship:maintenance")(usage_aggregation)
    with pytest.raises(ValueError, match="'usage_aggregation'"):
        registry.handles(Maintenance, queue="flagship:maintenance")(usage_aggregation)


def test_an_unregistered_kind_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Registry().get("telepathy")


def test_a_result_shows_only_what_it_has() -> None:
    assert JobResult(True, "done", {"n": 0}).wire() == {
        "success": True, "message": "done", "data": {"n": 0},
    }  # fmt: skip
    assert JobResult(False, "failed", error="x").wire() == {
        "success": False, "message": "failed", "error": "x",
    }  # fmt: skip
