"""A git process that lives on and answers one question after another."""

import asyncio
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TypeVar, cast

from worker.git.errors import MirrorBroken
from worker.git.process import spawn

Answer = TypeVar("Answer")
READ_SIZE = 256 * 1024


class Conversation:
    """Started by the first question, and again after it died. Ends when its stdin closes."""

    def __init__(self, *arguments: str, environment: Mapping[str, str]) -> None:
        self._command = ("git", *arguments)
        self._environment = environment
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def ask(
        self, question: bytes, listen: Callable[[StreamReader], Awaitable[Answer]]
    ) -> Answer:
        """Send `question` and return what `listen` makes of the answer.

        A process that dies is replaced once. Raises MirrorBroken if the second dies as well.
        """
        async with self._turn:
            with suppress(asyncio.IncompleteReadError, OSError):
                return await self._attempt(question, listen)
            try:
                return await self._attempt(question, listen)
            except (asyncio.IncompleteReadError, OSError) as error:
                raise MirrorBroken(f"{' '.join(self._command[:2])} died on the mirror") from error

    async def _attempt(
        self, question: bytes, listen: Callable[[StreamReader], Awaitable[Answer]]
    ) -> Answer:
        try:
            process = await self._running()
            stdin = cast(StreamWriter, process.stdin)
            if stdin.is_closing():
                # uvloop answers a write to a closed pipe with a RuntimeError.
                raise BrokenPipeError
            stdin.write(question)
            return await listen(cast(StreamReader, process.stdout))
        except BaseException:
            # Whatever is left of the answer would be taken for the next one.
            await self.close()
            raise

    async def _running(self) -> Process:
        if self._process is None:
            tree = await spawn(
                *self._command, environment=self._environment, stdin=PIPE, stderr=DEVNULL
            )
            self._process = tree.process
        return self._process

    async def close(self) -> None:
        """End the process. A later question starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def read_until(stream: StreamReader, end: bytes) -> bytes:
    """Everything before `end`, however long. Raises IncompleteReadError."""
    received = bytearray()
    while not received.endswith(end):
        chunk = await stream.read(READ_SIZE)
        if not chunk:
            raise asyncio.IncompleteReadError(bytes(received), None)
        received += chunk
    return bytes(received[: -len(end)])
