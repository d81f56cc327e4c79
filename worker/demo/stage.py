"""What every demo stands on: the whole stack in a directory of its own, and calls of its API."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from worker.stack import Stack

Play = Callable[[Stack, Path], Coroutine[Any, Any, None]]


def perform(name: str, play: Play, **environment: str) -> int:
    """Play on a stack with this environment; answers the exit code. Where it fails, shows logs."""
    with tempfile.TemporaryDirectory(prefix=f"switchyard-{name}-") as created:
        directory = Path(created)
        log = directory / "processes.log"
        print("Starting Postgres, Redis, the web service and a worker …")
        with log.open("wb") as output:
            try:
                with Stack(directory, output, **environment) as stack:
                    print(f"  web service {stack.url}, worker {stack.worker_url}")
                    asyncio.run(play(stack, directory))
            except Exception:
                print(log.read_text(errors="replace"))
                raise
    print("\nEverything was stopped and removed.")
    return 0


class Api:
    """The web service's API; a refusal is an error here."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http

    async def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """The JSON answer. Raises RuntimeError with what was answered for any 4xx or 5xx."""
        async with self.http.request(method, path, **arguments) as response:
            answer: dict[str, Any] = await response.json()
            if response.status >= 400:
                raise RuntimeError(f"{method} {path} answered {response.status}: {answer}")
            return answer


@asynccontextmanager
async def connected(stack: Stack, seconds: float) -> AsyncIterator[Api]:
    """The API of a stack; no call may take longer than `seconds`."""
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(stack.url, timeout=timeout) as http:
        yield Api(http)
