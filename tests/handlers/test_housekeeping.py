"""The handlers that clean up: run as they are, twice, and beside what is in use."""

import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from tests.handlers.scanning import Scanner, story
from tests.jobs.records import placed, record_delivery
from worker.handlers.cleanup import cleanup
from worker.handlers.dead_letter_cleanup import dead_letter_cleanup
from worker.handlers.retention import retention
from worker.jobs.ids import new_id
from worker.jobs.model import Completed, Outcome
from worker.jobs.payload_base import Payload
from worker.jobs.payloads import Cleanup, DeadLetterCleanup, Retention
from worker.jobs.states import State

ONE, TWO = "docs/stories/1.1.one.story.md", "docs/stories/1.2.two.story.md"
MONTH = timedelta(days=31)
NOTHING = dict.fromkeys(
    ("deliveries", "artifacts", "ticks", "reports", "usageBatches", "messages"), 0
)


async def run(
    scanner: Scanner, handler: Callable[[Any, Any], Awaitable[Outcome]], payload: Payload
) -> dict[str, Any]:
    """What the handler says that it did."""
    outcome = await handler(payload, await scanner.context(new_id()))
    assert isinstance(outcome, Completed)
    return outcome.data


async def test_dead_letters_are_cleaned_up(scanner: Scanner) -> None:
    for days in (5, 31):
        job = await placed(scanner.pool, State.DEAD)
        await scanner.pool.execute(
            "UPDATE jobs SET finished_at = now() - $2::interval WHERE id = $1",
            job.id, timedelta(days=days),
        )  # fmt: skip
    assert await run(scanner, dead_letter_cleanup, DeadLetterCleanup()) == {"deadLetters": 1}
    assert await run(scanner, dead_letter_cleanup, DeadLetterCleanup()) == {"deadLetters": 0}
    assert await run(scanner, dead_letter_cleanup, DeadLetterCleanup(days=4)) == {"deadLetters": 1}


async def test_old_clones_are_removed_and_fetched_again(scanner: Scanner) -> None:
    commit = scanner.origin.commit({ONE: story("1.1")})
    await scanner.scan(commit)
    [home] = scanner.mirrors._root.iterdir()
    assert await run(scanner, cleanup, Cleanup(task="old_clones")) == {"mirrors": 0}
    then = home.stat().st_mtime - MONTH.total_seconds()
    os.utime(home, (then, then))
    assert await run(scanner, cleanup, Cleanup(task="old_clones", days=40)) == {"mirrors": 0}
    assert await run(scanner, cleanup, Cleanup(task="old_clones")) == {"mirrors": 1}
    assert not list(home.glob("g-*"))
    await scanner.scan(commit)
    assert await scanner.stored() == scanner.expected(commit)


async def test_only_artifacts_on_no_branch_are_forgotten(scanner: Scanner) -> None:
    first = scanner.origin.commit({ONE: story("1.1"), TWO: story("1.2")})
    await scanner.scan(first)
    second = scanner.origin.commit({ONE: story("1.1", "Done")}, onto=first)
    await scanner.scan(second)
    assert await run(scanner, retention, Retention()) == NOTHING, "all of it was read just now"
    await scanner.pool.execute("UPDATE artifacts SET parsed_at = parsed_at - $1::interval", MONTH)
    assert await run(scanner, retention, Retention()) == NOTHING | {"artifacts": 1}
    assert await scanner.stored() == scanner.expected(second)
    assert await run(scanner, retention, Retention()) == NOTHING


async def test_a_forgotten_document_that_comes_back_is_read_again(scanner: Scanner) -> None:
    first = scanner.origin.commit({ONE: story("1.1")})
    second = scanner.origin.commit({ONE: story("1.1", "Done")}, onto=first)
    for commit in (first, second):
        await scanner.scan(commit)
    await scanner.pool.execute("UPDATE artifacts SET parsed_at = parsed_at - $1::interval", MONTH)
    await run(scanner, retention, Retention())
    third = scanner.origin.commit({ONE: story("1.1")}, onto=second)
    assert (await scanner.scan(third)).data["documentsRead"] == 1
    assert await scanner.stored() == scanner.expected(third)


async def test_old_deliveries_are_deleted(scanner: Scanner) -> None:
    for name in ("old", "new"):
        await record_delivery(scanner.pool, name)
    await scanner.pool.execute(
        "UPDATE webhook_events SET received_at = now() - $1::interval WHERE delivery_id = 'old'",
        MONTH,
    )
    done = await run(scanner, retention, Retention())
    assert done == NOTHING | {"deliveries": 1}
    assert await scanner.pool.fetchval("SELECT delivery_id FROM webhook_events") == "new"
