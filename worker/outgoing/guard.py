"""Where webhooks may go: nowhere inside, whatever a URL, a name server or a proxy says."""

import ipaddress
import re
import socket
from collections.abc import Sequence

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from worker.addresses import Network, is_public, parsed
from worker.errors import InvalidInput
from worker.outgoing.resolving import Resolver

LONGEST_URL = 2048
CONNECT_SECONDS = 5.0
LONGEST_HEADER = 8190
_WEB_PORTS = frozenset((80, 443))
_FIRST_FREE_PORT = 1024
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# Every system reads a name that ends so as an IPv4 address, some in octal.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_INSIDE = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa")


class RefusedAddress(Exception):
    """An address that nothing is sent to; `address` is for the operator, not for the caller."""

    def __init__(self, address: str) -> None:
        super().__init__("the host's address is not on the public internet")
        self.address = address


class Guard:
    """Judges addresses. `allowed` networks are the operator's own exceptions."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = tuple(allowed)

    def allows(self, text: str) -> bool:
        """Whether an address may be dialled; what is not an address in its usual form may not."""
        try:
            address = parsed(text)
        except ValueError:
            return False
        return any(address in network for network in self._allowed) or is_public(text)

    def socket(self, target: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for the very address that is dialled next. Raises RefusedAddress.

        Not an OSError: of several addresses of a host a refused one is not skipped, it ends it.
        """
        family, kind, protocol, _, address = target
        if not self.allows(str(address[0])):
            raise RefusedAddress(str(address[0]))
        return socket.socket(family, kind, protocol)


def open_session(
    allowed_networks: Sequence[Network], resolver: AbstractResolver | None = None
) -> aiohttp.ClientSession:
    """A client that dials only what the guard allows, follows nothing and keeps nothing.

    Every request dials anew, so that each is judged. To be opened in a running event loop.
    """
    connector = aiohttp.TCPConnector(
        resolver=resolver or Resolver(),
        socket_factory=Guard(allowed_networks).socket,
        # One after the other: the race between addresses would swallow a refusal.
        happy_eyeballs_delay=None,
        force_close=True,
        limit=0,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        auto_decompress=False,
        trust_env=False,
        max_line_size=LONGEST_HEADER,
        max_field_size=LONGEST_HEADER,
    )


def checked_url(url: str, allowed_networks: Sequence[Network]) -> str:
    """The URL in its usual form. Raises InvalidInput on `url` for one that is never sent to.

    Names are not looked up here: what they lead to is judged whenever it is dialled.
    """
    if problem := _problem(url, allowed_networks):
        raise InvalidInput("the URL is not usable", {"url": problem})
    return str(URL(url))


def _problem(text: str, allowed: Sequence[Network]) -> str | None:
    if not 0 < len(text) <= LONGEST_URL:
        return f"must have 1 to {LONGEST_URL} characters"
    if not text.isprintable() or " " in text or "\\" in text:
        return "must not contain spaces, backslashes or control characters"
    try:
        url = URL(text)
    except ValueError:
        return "is not a URL"
    return _problem_of_parts(url, text) or _problem_of_host(url.raw_host or "", allowed)


def _problem_of_parts(url: URL, text: str) -> str | None:
    host, is_bracketed = url.raw_host, text.partition("://")[2].startswith("[")
    if url.scheme not in ("https", "http") or not host or (is_bracketed and ":" not in host):
        return "must be an address such as https://example.com/hook"
    if "@" in url.raw_authority:
        return "must not contain a user or a password"
    if "#" in text:
        return "must not contain a fragment"
    if len(str(url)) > LONGEST_URL:
        return f"must have at most {LONGEST_URL} characters once it is encoded"
    if url.port not in _WEB_PORTS and (url.port or 0) < _FIRST_FREE_PORT:
        return f"must have port 80, 443, or one from {_FIRST_FREE_PORT} on"
    return None


def _problem_of_host(host: str, allowed: Sequence[Network]) -> str | None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _problem_of_name(host.removesuffix("."), allowed)
    if "%" in host or not Guard(allowed).allows(host):
        return "must have an address on the public internet"
    return None


def _problem_of_name(name: str, allowed: Sequence[Network]) -> str | None:
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        return "must have a host name or an IP address"
    if _NUMBER.fullmatch(labels[-1]):
        return "must have an IPv4 address in its usual form: four decimal numbers"
    is_inside = len(labels) == 1 or any(f".{name}".endswith(f".{end}") for end in _INSIDE)
    return "must have a host on the public internet" if is_inside and not allowed else None
