"""Long-lived readers of mirrors, and the limit on how many of them live at once."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from worker.git.conversation import Conversation, read_until
from worker.git.environment import git_environment
from worker.git.errors import MirrorBroken
from worker.git.generations import Generation
from worker.git.path_cache import PathCache
from worker.git.process import run


class Reader:
    """Answers questions about one generation with one `cat-file` and one `diff-tree`."""

    def __init__(self, path: Path) -> None:
        self._environment = git_environment(path)
        self._objects = Conversation("cat-file", "--batch-command", environment=self._environment)
        self._trees = Conversation(
            *("diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames"),
            environment=self._environment,
        )
        self.users = 0

    async def tree_of(self, commit: str) -> str | None:
        """The tree of a commit; None if there is no such commit."""
        question = f"info {commit}\ninfo {commit}^{{tree}}\n".encode()
        found, tree = await self._objects.ask(question, lambda stream: _headers(stream, 2))
        if found[1] != b"commit":
            return None
        if tree[1] != b"tree":
            raise MirrorBroken(f"the tree of commit {commit} is missing from the mirror")
        return tree[0].decode()

    async def sizes(self, shas: Sequence[str]) -> list[int | None]:
        """Bytes of each blob, in order; None for what is missing or no blob."""
        question = "".join(f"info {sha}\n" for sha in shas).encode()
        headers = await self._objects.ask(question, lambda stream: _headers(stream, len(shas)))
        return [int(header[2]) if header[1] == b"blob" else None for header in headers]

    async def contents(self, shas: Sequence[str]) -> list[bytes]:
        """The data of blobs that are known to exist, in order."""
        question = "".join(f"contents {sha}\n" for sha in shas).encode()
        return await self._objects.ask(question, lambda stream: _bodies(stream, len(shas)))

    async def differences(self, old: str, new: str) -> bytes | None:
        """Raw differences between two trees, NUL-separated; None if `old` is unknown."""
        end = f"end {secrets.token_hex(16)}\n".encode()
        header = f"{old} {new}\n".encode()
        answer = await self._trees.ask(header + end, lambda stream: read_until(stream, end))
        return answer.removeprefix(header) if answer.startswith(header) else None

    async def common_ancestor(self, one: str, other: str) -> str | None:
        """The newest commit that both have come from; None if there is none, or one is unknown."""
        done = await run("merge-base", one, other, environment=self._environment)
        return done.stdout.decode().strip() if done.code == 0 else None

    async def listing(self, tree: str) -> bytes:
        """All entries of a tree with their sizes, NUL-separated."""
        command = ("ls-tree", "-r", "-z", "-l", "--full-tree", "--end-of-options", tree)
        done = await run(*command, environment=self._environment)
        if done.code:
            raise MirrorBroken(f"tree {tree} cannot be listed: parts of it are missing")
        return done.stdout

    async def paths_added(self, commits: str) -> set[str]:
        """Every path that one of these commits (`new`, or `old..new`) made a file."""
        options = ("--format=", "--name-only", "--diff-filter=A", "--no-renames", "-z")
        done = await run("log", *options, commits, "--", environment=self._environment)
        if done.code:
            raise MirrorBroken(f"the history of {commits} cannot be read: parts are missing")
        return {name.decode(errors="replace") for name in done.stdout.split(b"\0") if name}

    async def close(self) -> None:
        """End both processes."""
        await self._objects.close()
        await self._trees.close()


class Readers:
    """The readers of one process, one for each generation; the least recently used go first.

    `listed` are the paths of trees, `walked` those of commits and of all that came before them.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.listed, self.walked = PathCache(), PathCache()
        self._readers: OrderedDict[Path, Reader] = OrderedDict()

    @asynccontextmanager
    async def use(self, generation: Generation) -> AsyncIterator[Reader]:
        """The reader of a generation, which is retired if it turns out to be broken."""
        path = generation.path
        reader = self._readers.get(path) or self._readers.setdefault(path, Reader(path))
        self._readers.move_to_end(path)
        reader.users += 1
        try:
            await self._trim()
            yield reader
        except MirrorBroken:
            generation.retire()
            raise
        finally:
            reader.users -= 1

    async def _trim(self) -> None:
        excess = len(self._readers) - self._limit
        idle = [path for path, reader in self._readers.items() if not reader.users]
        victims = [
            self._readers.pop(path)
            for place, path in enumerate(idle)
            if place < excess or not path.exists()
        ]
        for reader in victims:
            await reader.close()

    async def close(self) -> None:
        """End every process."""
        while self._readers:
            await self._readers.popitem()[1].close()


async def _headers(stream: asyncio.StreamReader, count: int) -> list[list[bytes]]:
    return [(await stream.readuntil(b"\n")).split() for _ in range(count)]


async def _bodies(stream: asyncio.StreamReader, count: int) -> list[bytes]:
    bodies = []
    for _ in range(count):
        size = int((await stream.readuntil(b"\n")).split()[2])
        bodies.append((await stream.readexactly(size + 1))[:-1])
    return bodies
