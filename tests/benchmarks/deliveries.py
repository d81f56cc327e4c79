"""How many webhooks a worker delivers, and what one that hangs costs the others.

`python -m tests.benchmarks.deliveries` starts Postgres, Redis, a worker as in production, and
receivers on loopback. 19 endpoints get as many messages as they can take, alone and beside a
twentieth that never answers, in turn; the medians of the rounds are compared. Then it tells what
signing takes.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from timeit import timeit

from cryptography.fernet import Fernet

from tests.benchmarks.machine import describe
from tests.benchmarks.ours import UP, Record, prepared
from tests.benchmarks.programs import switchyard
from tests.benchmarks.stage import Stage, stage
from worker.cipher import ENDPOINTS, Cipher
from worker.database.pool import atomically
from worker.jobs.ids import new_id
from worker.jobs.ring import Ring
from worker.outgoing.messages import NewMessage, emit
from worker.outgoing.sealing import EndpointLabel, seal
from worker.outgoing.signing import new_secret, sign

ORG = "bench"
WELL = 19
AT_ONCE = 100
SIZES = (1, 10, 100)
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
_LENGTH = b"content-length:"


@dataclass
class Tally:
    """What the receivers that are well have received, of how many that are to come."""

    expected: int
    times: list[float] = field(default_factory=list)
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self) -> None:
        """One more."""
        self.times.append(time.perf_counter())
        if len(self.times) == self.expected:
            self.complete.set()

    @property
    def rate(self) -> float:
        """Per second, between the first tenth and the last."""
        ends = len(self.times) // 10
        kept = sorted(self.times)[ends : len(self.times) - ends]
        return (len(kept) - 1) / (kept[-1] - kept[0])


class Receiver(asyncio.Protocol):
    """Answers after so many seconds; None: never."""

    def __init__(self, tally: Tally, delay: float | None) -> None:
        self._tally, self._delay = tally, delay
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._seen += data
        head, found, body = self._seen.partition(b"\r\n\r\n")
        if self._delay is None or not found:
            return
        length = head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]
        if len(body) >= int(length):
            self._tally.count()
            asyncio.get_running_loop().call_later(self._delay, self._answer)

    def _answer(self) -> None:
        self._transport.write(_ANSWER)
        self._transport.close()


@asynccontextmanager
async def receivers(tally: Tally, delay: float, hanging: int) -> AsyncIterator[list[str]]:
    """The URLs of those that are well, and then of those that hang."""
    loop = asyncio.get_running_loop()
    delays: list[float | None] = [*[delay] * WELL, *[None] * hanging]
    servers = [await loop.create_server(partial(Receiver, tally, d), "127.0.0.1") for d in delays]
    try:
        yield [f"http://127.0.0.1:{s.sockets[0].getsockname()[1]}/" for s in servers]
    finally:
        for server in servers:
            server.close()


async def add_endpoints(record: Record, urls: list[str], cipher: Cipher) -> None:
    """An endpoint for each URL."""
    await record.pool.execute("INSERT INTO organisations (id, name) VALUES ($1, $1)", ORG)
    for url in urls:
        endpoint_id = new_id()
        sealed = seal(cipher, EndpointLabel(endpoint_id, ORG), new_secret())
        await record.pool.execute(
            "INSERT INTO outgoing_endpoints (id, org_id, url, secret, secret_key_id) "
            "VALUES ($1, $2, $3, $4, $5)",
            endpoint_id, ORG, url, sealed.data, sealed.key_id,
        )  # fmt: skip


async def add_messages(record: Record, count: int) -> list[Ring]:
    """So many messages of about 1 kB to every endpoint; answers what to ring."""
    rings: list[Ring] = []
    for start in range(0, count, AT_ONCE):
        messages = [
            NewMessage(ORG, "usage.period_closed", {"n": n, "text": "x" * 900}, f"key-{n}")
            for n in range(start, min(start + AT_ONCE, count))
        ]
        rings += await atomically(record.pool, partial(emit, messages=messages))
    return rings


async def measure(on: Stage, options: argparse.Namespace, delay: float, hanging: int) -> float:
    """Deliveries a second to those that are well."""
    key = Fernet.generate_key().decode()
    tally = Tally(WELL * options.messages)
    async with prepared(on) as record, receivers(tally, delay, hanging) as urls:
        await add_endpoints(record, urls, Cipher([key], ENDPOINTS))
        rings = await add_messages(record, options.messages)
        await on.settle()
        async with switchyard(
            on, "worker.WorkerSettings", WORKER_QUEUES="webhooks", ENDPOINT_ENCRYPTION_KEY=key,
            WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8", LOG_LEVEL="warning",
            QUEUE_WEBHOOKS_CONCURRENCY=str(options.slots), SHUTDOWN_TIMEOUT_MS="0",
        ) as worker:  # fmt: skip
            await record.until(UP, 1, workers=[worker])
            await record.bell.ring(rings)
            async with asyncio.timeout(300):
                await tally.complete.wait()
    return tally.rate


async def isolation(on: Stage, options: argparse.Namespace, delay: float) -> None:
    """Print the rates with and without one that hangs, and how they compare."""
    print(f"receivers answer after {delay * 1000:.0f} ms")
    alone, beside = list[float](), list[float]()
    for number in range(options.rounds):
        # In turn, and each of them first as often as the other.
        for hanging in (0, 1) if number % 2 == 0 else (1, 0):
            (beside if hanging else alone).append(await measure(on, options, delay, hanging))
        print(f"  round {number + 1}: alone {alone[-1]:.0f}/s, beside one that hangs "
              f"{beside[-1]:.0f}/s")  # fmt: skip
    one, other = median(alone), median(beside)
    print(f"  median: {one:.0f}/s alone, {other:.0f}/s beside: ratio {other / one:.3f}")


def signing(rate: float) -> Iterator[str]:
    """What signing takes, and its share of a delivery at that rate."""
    secret = new_secret()
    for size in SIZES:
        body, times = b"x" * (size * 1000), 2000
        best = min(timeit(partial(sign, [secret], "id", 1, body), number=times)
                   for _ in range(5)) / times  # fmt: skip
        yield f"signing {size} kB: {best * 1e6:.1f} µs, {best * rate:.2%} of a delivery"


async def main(options: argparse.Namespace) -> None:
    """Print what was measured."""
    with stage() as on:
        print(await describe(on))
        print(f"{WELL} endpoints, {options.messages} messages each, {options.slots} slots")
        for delay in options.delays:
            await isolation(on, options, delay / 1000)
        rate = await measure(on, options, 0.0, 0)
    print(*signing(rate), sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, prog="tests.benchmarks.deliveries")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--slots", type=int, default=50)
    parser.add_argument("--delays", type=int, nargs="*", default=[0, 100], metavar="MS")
    sys.exit(asyncio.run(main(parser.parse_args())))
