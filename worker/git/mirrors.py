"""A bare mirror for each project: fetched incrementally, rebuilt when broken."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from weakref import WeakValueDictionary

from worker.git.environment import Credential
from worker.git.errors import CommitNotFound, FetchTimedOut, MirrorBroken, MirrorTooLarge
from worker.git.fetching import RefMissing, Request, fetch_into, tidy
from worker.git.generations import (
    Generation,
    create,
    hold_current,
    mark_used,
    publish,
    remove_unused,
    sweep,
)
from worker.git.locks import exclusive
from worker.git.names import check_key, check_object_id, check_ref, check_url
from worker.git.readers import Readers
from worker.git.snapshot import Snapshot

SECONDS_IN_A_DAY = 86_400


class Mirrors:
    """The mirrors below `root`, which several processes may share. Call `close` at the end.

    `protocols` are what URLs may use, `fetch_timeout` is in seconds, `max_bytes` is for each
    mirror, and `max_readers` bounds the idle git processes kept for reading (two for each).
    """

    def __init__(
        self,
        root: Path,
        *,
        protocols: Sequence[str] = ("https",),
        fetch_timeout: float = 120.0,
        max_bytes: int = 2 * 2**30,
        max_readers: int = 32,
    ) -> None:
        self._root = root.absolute()
        self._protocols = tuple(protocols)
        self._timeout = fetch_timeout
        self._max_bytes = max_bytes
        self._readers = Readers(max_readers)
        self._locks: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()

    async def fetch(
        self,
        key: str,
        url: str,
        commit: str,
        *,
        ref: str | None = None,
        credential: Credential | None = None,
    ) -> Snapshot:
        """The commit, from the mirror if it is there, otherwise from `url`.

        `commit` is a full id, `ref` a full ref to look in when the remote does not give out
        commits by id. Raises Refused, RepositoryUnavailable, MirrorTooLarge, CommitNotFound,
        FetchTimedOut, NetworkTrouble, MirrorBroken or GitFailed.
        """
        home = self._root / check_key(key)
        request = Request(
            url=check_url(url, self._protocols),
            commit=check_object_id(commit),
            ref=None if ref is None else check_ref(ref),
            credential=credential,
        )
        found = await self._find(home, commit) or await self._bring(home, request)
        mark_used(home)
        return found

    async def remove_unused(self, days: float) -> int:
        """Remove the mirrors that nobody fetched from for so many days; answers how many.

        Safe beside other processes that use them.
        """
        before = time.time() - days * SECONDS_IN_A_DAY
        homes = await asyncio.to_thread(_entries, self._root)
        return sum([await asyncio.to_thread(remove_unused, home, before) for home in homes])

    async def close(self) -> None:
        """End the processes kept for reading."""
        await self._readers.close()

    async def _find(self, home: Path, commit: str) -> Snapshot | None:
        with suppress(MirrorBroken):
            return await self._snapshot(hold_current(home), commit)
        return None

    async def _snapshot(self, generation: Generation, commit: str) -> Snapshot | None:
        async with self._readers.use(generation) as reader:
            tree = await reader.tree_of(commit)
        return Snapshot(self._readers, generation, commit, tree) if tree else None

    async def _bring(self, home: Path, request: Request) -> Snapshot:
        await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
        lock = self._locks.setdefault(home, asyncio.Lock())
        async with lock, exclusive(home / "lock", self._timeout):
            found = await self._find(home, request.commit) or await self._in_time(home, request)
        if found is None:
            raise CommitNotFound(
                f"{request.url} has no commit {request.commit}: "
                "a force push may have removed it, or the host is not up to date yet"
            )
        return found

    async def _in_time(self, home: Path, request: Request) -> Snapshot | None:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._refresh(home, request)
        except TimeoutError as error:
            message = f"fetching from {request.url} took more than {self._timeout:g} s"
            raise FetchTimedOut(message) from error

    async def _refresh(self, home: Path, request: Request) -> Snapshot | None:
        # A mirror that grew too large may hold much that force pushes left: a new one does not.
        await asyncio.to_thread(sweep, home)
        with suppress(MirrorBroken, MirrorTooLarge):
            return await self._update(hold_current(home), request)
        return await self._build(home, request)

    async def _update(self, generation: Generation, request: Request) -> Snapshot | None:
        await tidy(generation)
        for route in request.routes():
            with suppress(RefMissing):
                await fetch_into(generation, request, route, self._protocols, self._max_bytes)
                if found := await self._snapshot(generation, request.commit):
                    return found
        return None

    async def _build(self, home: Path, request: Request) -> Snapshot | None:
        generation = await create(home, "sha256" if len(request.commit) == 64 else "sha1")
        try:
            found = await self._update(generation, request)
        except BaseException:
            await asyncio.to_thread(rmtree, generation.path)
            raise
        publish(generation)
        await asyncio.to_thread(sweep, home)
        return found


def _entries(root: Path) -> list[Path]:
    return sorted(root.iterdir()) if root.is_dir() else []
