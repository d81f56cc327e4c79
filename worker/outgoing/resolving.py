"""Looking up names, each in a thread of its own: a slow name server holds up nobody else."""

import asyncio
import socket
import threading
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

_Found = list[tuple[Any, Any, int, str, tuple[Any, ...]]]
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Resolver(AbstractResolver):
    """The system's own resolver. Raises OSError for what cannot be resolved."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address of the host, in the order in which they are to be tried."""
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=port, family=kind, proto=protocol,
                flags=_NUMERIC,
            )
            for kind, _, protocol, _, address in await _look_up(host, port, family)
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is open. A thread that still waits ends with the process."""


async def _look_up(host: str, port: int, family: int) -> _Found:
    loop = asyncio.get_running_loop()
    found: asyncio.Future[_Found] = loop.create_future()

    def look() -> None:
        try:
            answer = socket.getaddrinfo(
                host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
            )
        except (OSError, UnicodeError) as error:
            _tell(loop, found.set_exception, found, OSError(str(error)))
        else:
            _tell(loop, found.set_result, found, answer)

    threading.Thread(target=look, name="resolver", daemon=True).start()
    return await found


def _tell(loop: asyncio.AbstractEventLoop, tell: Any, found: Any, answer: Any) -> None:
    try:
        loop.call_soon_threadsafe(lambda: found.done() or tell(answer))
    except RuntimeError:
        # The loop was closed while the name server thought: nobody waits any more.
        return
