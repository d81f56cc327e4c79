"""One `git fetch` into one generation, and what its failure means."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worker.errors import SwitchyardError
from worker.git.environment import Credential, git_environment, presentable
from worker.git.errors import (
    GitFailed,
    MirrorBroken,
    MirrorTooLarge,
    NetworkTrouble,
    Refused,
    RepositoryUnavailable,
)
from worker.git.generations import Generation, clear_leftovers, count_bytes, count_packs
from worker.git.names import pin_for
from worker.git.process import run

MANY_PACKS = 50

_FETCH = (
    *("fetch", "--quiet", "--force", "--no-tags", "--no-recurse-submodules"),
    *("--no-auto-maintenance", "--no-write-fetch-head", "--no-show-forced-updates"),
)


class RefMissing(Exception):
    """The remote does not offer what was asked for; it may offer it by another name."""


@dataclass(frozen=True)
class Request:
    """A commit that is wanted, and where it is. All parts are checked already."""

    url: str
    commit: str
    ref: str | None
    credential: Credential | None

    def routes(self) -> Iterator[list[str]]:
        """Arguments for git, from the cheapest way to get the commit to the surest."""
        pin = pin_for(self.ref or self.url)
        yield ["--", self.url, f"+{self.commit}:{pin}"]
        if self.ref:
            yield ["--", self.url, f"+{self.ref}:{pin}"]
        yield ["--prune", "--", self.url, "+refs/heads/*:refs/heads/*"]


# The first match says what a failed fetch means. A mirror's own fault comes before the network's,
# because a fetch that fails on this side also reports that the other side hung up.
_MEANINGS: Sequence[tuple[re.Pattern[str], type[Exception]]] = [
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r"transport '.*' not allowed", Refused),
        (r"not our ref|couldn't find remote ref|unadvertised object", RefMissing),
        (r"no space left|disk quota|read-only file system|cannot allocate|too many open"
         r"|: permission denied", GitFailed),
        (r"not a git repository: |bad object|corrupt|mismatched algorithms|missing necessary"
         r"|unable to read|inflate|is empty$|garbage at end|unresolved delta", MirrorBroken),
        (r"repository .*not found|does not appear to be a git repository|could not read username"
         r"|could not read password|authentication failed|returned error: (?:40[1-4]|410|451)"
         r"|access denied|permission (?:to .* )?denied", RepositoryUnavailable),
        (r"could not resolve|failed to connect|connection|timed out|too slow|returned error: "
         r"|early eof|hung up|rpc failed|ssl|tls|disconnect|unable to access", NetworkTrouble),
    )
]  # fmt: skip


async def fetch_into(
    generation: Generation, request: Request, route: list[str], protocols: Sequence[str], limit: int
) -> None:
    """Fetch by one route. Stopped with MirrorTooLarge once the mirror is over `limit` bytes.

    Raises RefMissing, or the error that fits what git said. Needs the lock.
    """
    environment = git_environment(generation.path, protocols, request.url, request.credential)
    done = await run(
        *_FETCH, *route, environment=environment, guard=lambda: _check_size(generation, limit)
    )
    if done.code < 0:
        raise GitFailed(f"fetching {request.commit} was ended by signal {-done.code}")
    if done.code:
        raise _meaning(done.stderr, request)


async def tidy(generation: Generation) -> None:
    """Clear what a killed fetch left, and merge small packs when there are many.

    Merging keeps unreachable objects, so that force-pushed commits stay readable. Needs the lock.
    """
    clear_leftovers(generation)
    if count_packs(generation) <= MANY_PACKS:
        return
    command = ("repack", "--geometric=2", "-d", "-q", "--no-write-bitmap-index")
    done = await run(*command, environment=git_environment(generation.path))
    if done.code:
        raise MirrorBroken(f"the mirror's packs cannot be merged: {presentable(done.stderr)}")


def _check_size(generation: Generation, limit: int) -> None:
    if count_bytes(generation) > limit:
        raise MirrorTooLarge(f"the repository takes more than {limit / 2**20:,.0f} MiB")


def _meaning(stderr: bytes, request: Request) -> Exception:
    said = presentable(stderr, request.credential)
    plain = said.replace(request.url, "")
    kind = next((kind for pattern, kind in _MEANINGS if pattern.search(plain)), MirrorBroken)
    message = f"fetching {request.commit} from {request.url} failed: {said}"
    return kind(message) if issubclass(kind, SwitchyardError) else RefMissing(said)
