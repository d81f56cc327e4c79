"""Which hosts a command may reach, when its project is allowed a network at all."""

import asyncio
import socket
from dataclasses import dataclass

from worker.addresses import is_public

WEB_PORTS = frozenset((80, 443))
RESOLVING_SECONDS = 10.0


class Refused(Exception):
    """The destination is not allowed; the message is shown to the command."""


@dataclass(frozen=True)
class Egress:
    """Public web addresses, and hosts that the operator trusts, such as a package mirror.

    `trusted` holds `host` or `host:port`; these may have private addresses and any port.
    """

    trusted: frozenset[str] = frozenset()

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where to connect to, all of them allowed. Raises Refused."""
        found = await _resolve(host, port)
        if self._trusts(host.lower(), port):
            return found
        if port not in WEB_PORTS:
            raise Refused(f"port {port} of {host}: only 80 and 443 are allowed")
        if not found or not all(map(is_public, found)):
            raise Refused(f"{host} is not a public address")
        return found

    def _trusts(self, host: str, port: int) -> bool:
        return host in self.trusted or f"{host}:{port}" in self.trusted


WEB = Egress()


async def _resolve(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVING_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise Refused(f"{host} cannot be resolved: {error}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
