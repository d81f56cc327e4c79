"""The only way out of a sandbox that may use the network: a proxy in front of its loopback.

The command has a network of its own with nothing in it but this listener, so what the proxy
refuses cannot be reached: no service of this host, no private network, no metadata address.
Names are resolved here, once, and the connection goes to the address that was judged.
"""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from worker.gates.sandbox.egress import Egress, Refused

PORT = 3128
MOST_CONNECTIONS = 128
HEAD_BYTES = 32 * 1024
HEAD_SECONDS = 15.0
CONNECT_SECONDS = 15.0
CHUNK = 64 * 1024
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_HOP_BY_HOP = (b"proxy-connection", b"proxy-authorization", b"connection", b"keep-alive")


def variables() -> Mapping[str, str]:
    """What tells programs about the proxy, and about this machine's certificate authorities."""
    url = f"http://127.0.0.1:{PORT}"
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "npm_config_proxy",
             "npm_config_https_proxy")  # fmt: skip
    found = dict.fromkeys(names, url) | {"NODE_USE_ENV_PROXY": "1"}
    if Path(AUTHORITIES).is_file():
        trust = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "PIP_CERT",
                 "CARGO_HTTP_CAINFO", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE")  # fmt: skip
        found |= dict.fromkeys(trust, AUTHORITIES)
    return found


@asynccontextmanager
async def serving(listener: socket.socket, egress: Egress) -> AsyncIterator[None]:
    """Serve on a listening socket; every connection ends with the block."""
    proxy = _Proxy(egress)
    server = await asyncio.start_server(proxy.accept, sock=listener, limit=HEAD_BYTES)
    try:
        yield
    finally:
        server.close()
        await proxy.close()


class _Proxy:
    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._slots = asyncio.Semaphore(MOST_CONNECTIONS)
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Start serving one connection."""
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            async with self._slots:
                await self._answer(reader, writer)
        except Refused as refusal:
            await _refuse(writer, b"403 Forbidden", str(refusal))
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            await _refuse(writer, b"502 Bad Gateway", str(error))
        except (ValueError, asyncio.LimitOverrunError):
            await _refuse(writer, b"400 Bad Request", "this is no request for a proxy")
        finally:
            writer.close()

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        async with asyncio.timeout(HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        host, port, forwarded = _destination(head)
        out_reader, out_writer = await self._connect(host, port)
        try:
            if forwarded is None:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                out_writer.write(forwarded)
            await _relay((reader, out_writer), (out_reader, writer))
        finally:
            out_writer.close()

    async def _connect(self, host: str, port: int) -> tuple[StreamReader, StreamWriter]:
        failure = OSError(f"{host} has no address")
        for address in await self._egress.addresses(host, port):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await asyncio.open_connection(address, port)
            except OSError as error:
                failure = error
        raise failure


def _destination(head: bytes) -> tuple[str, int, bytes | None]:
    """Host, port and, but for a tunnel, the request to send on. Raises ValueError."""
    line, _, rest = head.partition(b"\r\n")
    method, target, version = line.split(b" ")
    tunnel = method == b"CONNECT"
    parts = urlsplit(f"//{target.decode()}" if tunnel else target.decode())
    if not parts.hostname or (not tunnel and parts.scheme != "http"):
        raise ValueError(target)
    if tunnel:
        return parts.hostname, parts.port or 443, None
    path = parts.path or "/"
    origin = f"{path}?{parts.query}" if parts.query else path
    request = b" ".join((method, origin.encode(), version))
    return parts.hostname, parts.port or 80, b"\r\n".join((request, *_end_to_end(rest)))


def _end_to_end(fields: bytes) -> list[bytes]:
    # One request a connection: a second one on it would go to the first one's host unjudged.
    kept = [f for f in fields.split(b"\r\n") if f and _name(f) not in _HOP_BY_HOP]
    return [*kept, b"Connection: close", b"", b""]


def _name(field: bytes) -> bytes:
    return field.partition(b":")[0].strip().lower()


async def _relay(*ways: tuple[StreamReader, StreamWriter]) -> None:
    copying = [asyncio.ensure_future(_copy(*way)) for way in ways]
    try:
        await asyncio.gather(*copying)
    finally:
        for task in copying:
            task.cancel()
        await asyncio.gather(*copying, return_exceptions=True)


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    while chunk := await reader.read(CHUNK):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _refuse(writer: StreamWriter, status: bytes, reason: str) -> None:
    body = f"{reason}\n".encode()
    writer.write(b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
                 % (status, len(body), body))  # fmt: skip
    with suppress(OSError):
        await writer.drain()
