"""Workers killed while they send webhooks: each arrives, and a repeat can be told by its id."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

import pytest

from tests.chaos.harness import SHORT_LEASE, Stack
from tests.chaos.ordeal import note
from tests.chaos.processes import Process, until
from tests.outgoing.parcels import Post
from tests.outgoing.receivers import Receiver, answer, receiving

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

RECEIVERS, MESSAGES, KILLS = 5, 200, 4
NOT_DELIVERED = "SELECT count(*) FROM outgoing_deliveries WHERE state <> 'delivered'"
UNTOLD = """
SELECT count(*) FROM outgoing_deliveries d WHERE d.attempts <> (
    SELECT count(*) FROM outgoing_attempts a
    WHERE a.endpoint_id = d.endpoint_id AND a.message_id = d.message_id)
"""


async def worker(stack: Stack, post: Post) -> Process:
    process = stack.spawn(
        "arq", "tests.chaos.product.WorkerSettings", WORKER_QUEUES="webhooks",
        ENDPOINT_ENCRYPTION_KEY=post.key, WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
        CHAOS_CRASHES_ALLOWED="1000", **SHORT_LEASE,
    )  # fmt: skip
    await process.logged("worker.started")
    return process


def more_than(count: int, receivers: Sequence[Receiver]) -> bool:
    return sum(len(receiver.received) for receiver in receivers) > count


async def test_workers_killed_while_they_send_lose_nothing(stack: Stack) -> None:
    post = await Post.opened(stack.pool)
    async with AsyncExitStack() as opened:
        receivers = [
            await opened.enter_async_context(receiving(answer(503, Retry_After="0"), answer()))
            for _ in range(RECEIVERS)
        ]
        for receiver in receivers:
            receiver.delay = 0.02
            await post.endpoint(receiver.url)
        victim = await worker(stack, post)
        for number in range(MESSAGES):
            await stack.bell.ring(await post.message(number))
        for kill in range(1, KILLS + 1):
            goal = kill * MESSAGES * RECEIVERS // (KILLS + 1)
            await until(partial(more_than, goal, receivers), 60)
            await victim.kill()
            victim = await worker(stack, post)

        async def all_arrived() -> bool:
            missing: int = await stack.pool.fetchval(NOT_DELIVERED)
            return missing == 0

        await until(all_arrived, 90, 0.2)
    stored = {
        str(row["id"]): row["body"]
        for row in await stack.pool.fetch("SELECT id, body FROM outgoing_messages")
    }
    repeats = 0
    for receiver in receivers:
        bodies = defaultdict[str, set[bytes]](set)
        for received in receiver.received:
            bodies[received.headers["webhook-id"]].add(received.body)
        assert bodies == {message_id: {body} for message_id, body in stored.items()}
        repeats += len(receiver.received) - MESSAGES - 1
    assert await stack.pool.fetchval(UNTOLD) == 0
    note("kill -9 a worker 4 times while it sends 1 000 webhooks", "all arrive",
         f"all arrived, {repeats} of them twice, with the same id and bytes")  # fmt: skip
