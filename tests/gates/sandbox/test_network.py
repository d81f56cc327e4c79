"""Without leave there is no network at all; with leave there is the web, judged by a proxy."""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gates.sandbox.conftest import (
    TOOLS,
    RunPython,
    run_python,
    said,
    skip_where_not_installable,
)
from worker.addresses import is_public
from worker.gates.sandbox import Egress, Ran, Sandbox
from worker.gates.sandbox.egress import Refused

METADATA = "169.254.169.254"
# Connects to each host:port; a name that starts with @ is an abstract unix socket.
CONNECT = """
import socket, sys
socket.setdefaulttimeout(3)
for target in sys.argv[1:]:
    try:
        if target.startswith("@"):
            socket.socket(socket.AF_UNIX).connect("\\0" + target[1:])
        else:
            host, _, port = target.rpartition(":")
            socket.create_connection((host, int(port))).close()
        print("REACHED", target)
    except OSError as error:
        print("refused", target, error)
"""
# Asks the proxy for each URL, or for a tunnel to each host:port.
FETCH = """
import os, socket, sys
from urllib.parse import urlsplit
proxy = urlsplit(os.environ["http_proxy"])
for target in sys.argv[1:]:
    with socket.create_connection((proxy.hostname, proxy.port), timeout=5) as connection:
        if target.startswith("http"):
            host = urlsplit(target).netloc
            connection.sendall(f"GET {target} HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n".encode())
        else:
            connection.sendall(f"CONNECT {target} HTTP/1.1\\r\\n\\r\\n".encode())
            head = connection.recv(4096)
            print(target, head.split(b"\\r\\n")[0].decode())
            if b" 200 " not in head:
                continue
            connection.sendall(b"GET /tunnel HTTP/1.1\\r\\n\\r\\n")
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
        print(target, answer.decode())
"""


class Host:
    """A service of this machine: notes each request, answers with a greeting."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.port = 0

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head.decode())
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ngreetings")
        writer.close()


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    async with server:
        yield host


async def fetch(tree: Path, egress: Egress, *targets: str) -> Ran:
    skip_where_not_installable()
    sandbox = await Sandbox.probe(readable=TOOLS, egress=egress)
    return await run_python(sandbox, tree, FETCH, *targets, network=True)


@pytest.mark.parametrize("network", [False, True])
async def test_nothing_can_be_reached_directly(
    python: RunPython, host: Host, network: bool
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0switchyard-canary")
        listener.listen()
        targets = [f"127.0.0.1:{host.port}", f"localhost:{host.port}", f"{METADATA}:80",
                   "1.1.1.1:53", "::1:80", "@switchyard-canary"]  # fmt: skip
        text = said(await python(CONNECT, *targets, network=network))
    assert "REACHED" not in text
    assert len([line for line in text.splitlines() if line.startswith("refused")]) == len(targets)
    assert host.requests == []


async def test_the_proxy_refuses_what_is_not_public(tree: Path, host: Host) -> None:
    names = (f"127.0.0.1:{host.port}", f"localhost:{host.port}", f"{METADATA}:80", "[::1]:443",
             "10.0.0.1:443", "[::ffff:127.0.0.1]:443", "0.0.0.0:80", "1.1.1.1:22")  # fmt: skip
    urls = (f"http://localhost:{host.port}/", f"http://{METADATA}/latest/meta-data")
    text = said(await fetch(tree, Egress(), *names, *urls))
    assert text.count("403 Forbidden") == len(names) + len(urls)
    assert host.requests == []


async def test_a_trusted_host_is_reached_through_the_proxy(tree: Path, host: Host) -> None:
    name = f"localhost:{host.port}"
    text = said(await fetch(tree, Egress(frozenset({name})), f"http://{name}/a?b=c", name))
    assert text.count("greetings") == 2
    first, second = host.requests
    assert first.startswith("GET /a?b=c HTTP/1.1\r\n")
    assert "Connection: close" in first
    assert second.startswith("GET /tunnel HTTP/1.1\r\n")


async def test_nonsense_is_answered(tree: Path) -> None:
    text = said(await fetch(tree, Egress(), "https://not.a.tunnel/", "nowhere.invalid:443", ":"))
    assert text.count("400 Bad Request") == 2
    assert text.count("403 Forbidden") == 1


async def test_the_network_is_told(python: RunPython) -> None:
    assert (await python("pass", network=True)).environment["network"] == "web, through a proxy"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
     "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1",
     "ff02::1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
     "2001:0:7f00:1::", "fec0::1", "192.0.2.1", "fd00:ec2::254"],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "140.82.112.3", "2606:4700::1111"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


async def test_only_the_ports_of_the_web_are_allowed() -> None:
    with pytest.raises(Refused, match="port 25"):
        await Egress().addresses("1.1.1.1", 25)
    assert await Egress().addresses("1.1.1.1", 443) == ["1.1.1.1"]
