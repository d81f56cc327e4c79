"""Nothing is sent inside: no URL, name server or proxy can make the guard dial an inner address.

The servers here count the connections that they accept; that they could be reached is shown first.
"""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_network

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from tests.outgoing.receivers import Receiver, answer, receiving
from worker.addresses import Network, is_public
from worker.errors import InvalidInput
from worker.outgoing.guard import Guard, RefusedAddress, checked_url, open_session
from worker.outgoing.resolving import Resolver

# Every way to reach a server of this very machine.
EVERYWHERE = ("0.0.0.0", "::")
NAME = "hooks.example.com"

HOSTILE = [
    # What belongs to somebody, or to nobody.
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.255.255.254",
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200",
    "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1",
    "198.19.255.255", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255",
    # The same for IPv6, and what carries an IPv4 address inside.
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
    "2001:db8::1", "3fff::1", "100::1", "5f00::1", "2001:2::1", "2001:10::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::a9fe:a9fe",
    "64:ff9b::7f00:1", "64:ff9b:1::a9fe:a9fe", "2002:7f00:1::", "2001:0:7f00:1::",
    # What is no address in its usual form: a system would read it as one.
    "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "017700000001", "127.0.0.1 ", "localhost",
    "", "1.1.1.1:80",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "140.82.112.3", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"]

# Spellings of this machine that URLs may have; {port} is where a server listens.
SPELLINGS = [
    "http://127.0.0.1:{port}/", "http://127.9.9.9:{port}/", "http://0.0.0.0:{port}/",
    "http://127.1:{port}/", "http://2130706433:{port}/", "http://0x7f.1:{port}/",
    "http://0x7f000001:{port}/", "http://0177.0.0.1:{port}/", "http://017700000001:{port}/",
    "http://127.0.1:{port}/", "http://0:{port}/", "http://127.0.0.1.:{port}/",
    "http://[::1]:{port}/", "http://[::]:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
    "http://[0:0:0:0:0:ffff:7f00:1]:{port}/", "http://[::1%25lo]:{port}/",
    "http://localhost:{port}/", "http://LOCALHOST:{port}/", "http://①②⑦.0.0.1:{port}/",
    "http://127。0。0。1:{port}/",
]  # fmt: skip


class Answers(AbstractResolver):
    """A name server that gives these answers, one after the other; the last one again and again."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = [*answers]
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host, host=address, port=port, proto=0, flags=socket.AI_NUMERICHOST,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
            )
            for address in found
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is open."""


def networks(*texts: str) -> list[Network]:
    return [ip_network(text) for text in texts]


@pytest.fixture
async def inside() -> AsyncIterator[Receiver]:
    """A server that any address of this machine leads to."""
    async with receiving(answer(), hosts=EVERYWHERE) as receiver:
        yield receiver


async def post(session: aiohttp.ClientSession, url: str) -> int:
    async with asyncio.timeout(10), session.post(url, data=b"{}", allow_redirects=False) as reply:
        return reply.status


@pytest.mark.parametrize("address", HOSTILE)
def test_an_address_that_nothing_is_sent_to(address: str) -> None:
    assert not Guard([]).allows(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(RefusedAddress):
        Guard([]).socket((family, socket.SOCK_STREAM, 0, "", (address, 80)))


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_that_may_be_sent_to(address: str) -> None:
    assert Guard([]).allows(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    Guard([]).socket((family, socket.SOCK_STREAM, 0, "", (address, 80))).close()


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_leads_to_no_inner_one(address: IPv4Address) -> None:
    inner = int(address)
    assert is_public(str(IPv6Address(0xFFFF << 32 | inner))) == is_public(str(address))
    for wrapped in (inner, 0x64FF9B << 96 | inner, 0x2002 << 112 | inner << 80,
                    0x20010000 << 96 | inner << 64):  # fmt: skip
        assert not is_public(str(IPv6Address(wrapped)))


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_this_machine_is_dialled(inside: Receiver, spelling: str) -> None:
    url = spelling.format(port=inside.port)
    async with open_session([]) as session:
        with pytest.raises((RefusedAddress, aiohttp.InvalidURL)):
            await post(session, url)
    with pytest.raises(InvalidInput) as refused:
        checked_url(url, [])
    assert list(refused.value.fields) == ["url"]
    assert inside.accepted == 0


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"]
)
async def test_no_name_leads_to_this_machine(inside: Receiver, address: str) -> None:
    url = f"http://{NAME}:{inside.port}/"
    async with open_session(networks("0.0.0.0/0", "::/0"), Answers([address])) as session:
        assert await post(session, url) == 200
    assert inside.accepted == 1
    async with open_session([], Answers([address])) as session:
        with pytest.raises(RefusedAddress) as refused:
            await post(session, url)
    assert refused.value.address == address
    assert inside.accepted == 1


async def test_a_name_that_changes_its_address_is_judged_each_time(inside: Receiver) -> None:
    names = Answers(["127.0.0.2"], ["127.0.0.1"])
    async with open_session(networks("127.0.0.2/32"), names) as session:
        assert await post(session, f"http://{NAME}:{inside.port}/") == 200
        assert isinstance(session.connector, aiohttp.TCPConnector)
        session.connector.clear_dns_cache()
        with pytest.raises(RefusedAddress):
            await post(session, f"http://{NAME}:{inside.port}/")
    assert (names.asked, inside.accepted) == (2, 1)


async def test_no_connection_is_used_again(inside: Receiver) -> None:
    inside.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"]
    async with open_session(networks("127.0.0.0/8")) as session:
        for _ in range(3):
            assert await post(session, inside.url) == 200
    assert inside.accepted == 3


@pytest.mark.parametrize("first", ["127.0.0.2", "127.0.0.1"])
async def test_of_several_addresses_a_refused_one_is_not_dialled(first: str) -> None:
    """Whether it comes first, or after one where nobody listens."""
    async with receiving(hosts=["127.0.0.1"]) as inside:
        other = ({"127.0.0.1", "127.0.0.2"} - {first}).pop()
        async with open_session(networks("127.0.0.2/32"), Answers([first, other])) as session:
            with pytest.raises(RefusedAddress):
                await post(session, f"http://{NAME}:{inside.port}/")
        assert inside.accepted == 0


async def test_a_name_server_that_answers_with_a_name_leads_nowhere(inside: Receiver) -> None:
    async with open_session([], Answers(["localhost"])) as session:
        with pytest.raises(RefusedAddress):
            await post(session, f"http://{NAME}:{inside.port}/")
    assert inside.accepted == 0


async def test_a_proxy_of_the_environment_is_not_asked(
    inside: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, inside.url)
    async with receiving() as outside, aiohttp.ClientSession(trust_env=True) as trusting:
        async with trusting.post(outside.url):
            assert (inside.accepted, outside.accepted) == (1, 0)
        async with open_session(networks("127.0.0.0/8")) as session:
            assert await post(session, outside.url) == 200
        assert (inside.accepted, outside.accepted) == (1, 1)


async def test_a_redirect_is_not_followed_and_a_cookie_not_kept(inside: Receiver) -> None:
    names = Answers(["127.0.0.1"])
    async with receiving() as outside, open_session(networks("127.0.0.0/8"), names) as session:
        outside.answers = [answer(307, Location=inside.url, Set_Cookie="a=b"), answer()]
        # Cookies of bare addresses are kept by nobody.
        url = f"http://{NAME}:{outside.port}/"
        assert await post(session, url) == 307
        assert await post(session, url) == 200
        assert inside.accepted == 0
        assert "cookie" not in outside.received[1].headers


async def test_what_the_operator_allows_is_dialled(inside: Receiver) -> None:
    async with open_session(networks("127.0.0.0/8")) as session:
        assert await post(session, inside.url) == 200
        with pytest.raises(RefusedAddress):
            await post(session, f"http://[::1]:{inside.port}/")
    assert inside.accepted == 1


@pytest.mark.parametrize(
    "url",
    ["", "hooks.example.com", "/hook", "//hooks.example.com/", "ftp://hooks.example.com/",
     "file:///etc/passwd", "javascript:alert(1)", "http://", "http:///hook", "http:example.com",
     "https://user:password@hooks.example.com/", "https://user@hooks.example.com/",
     "https://hooks.example.com/#part", "https://hooks.example.com#", "https://exa mple.com/",
     " https://hooks.example.com/", "https://hooks.example.com/\n", "https://hooks.example.com\t/",
     "https://hooks.example.com\\@127.0.0.1/", "https://hooks.example.com:99999/",
     "https://hooks.example.com:0/", "https://hooks.example.com:22/",
     "https://hooks.example.com:25/", "https://hooks.example.com:x/", "https://[::1",
     "https://a..example.com/", "https://-a.example.com/", f"https://{'a' * 64}.example.com/",
     f"https://{'a.' * 130}example.com/", "https://a%00.example.com/",
     "https://%31%32%37.0.0.1/", "https://xn--\u0000.com/", "https://hooks", "https://a.localhost/",
     "https://metadata.google.internal/", "https://printer.local/", "https://router.lan./",
     "https://1.1.1.1./", "https://1.2.3/", "https://a.0x7f/",
     "https://[2606:4700::1111%25eth0]/", f"https://hooks.example.com/{'a' * 2048}",
     f"https://hooks.example.com/{'ü' * 1000}", "https://[v1.a]/", "https://[127.0.0.1]/"],
)  # fmt: skip
def test_a_url_that_is_refused_by_its_field(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked_url(url, [])
    assert list(refused.value.fields) == ["url"]


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://hooks.example.com/x?y=1&z", "https://hooks.example.com/x?y=1&z"),
        ("HTTPS://Hooks.Example.COM:443/a/../b", "https://hooks.example.com/b"),
        ("http://hooks.example.com:8080/", "http://hooks.example.com:8080/"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://a_b.example.com./", "https://a_b.example.com./"),
        ("https://1.1.1.1/x", "https://1.1.1.1/x"),
        ("https://[2606:4700::1111]:8443/x", "https://[2606:4700::1111]:8443/x"),
        ("https://0x7f.example.com/", "https://0x7f.example.com/"),
    ],
)
def test_a_url_that_is_taken_in_its_usual_form(url: str, stored: str) -> None:
    assert checked_url(url, []) == stored == checked_url(stored, [])


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000/", "http://localhost:3000/", "http://app/"])
def test_where_inner_networks_are_allowed_inner_names_are_taken(url: str) -> None:
    assert checked_url(url, networks("127.0.0.0/8")) == url
    with pytest.raises(InvalidInput):
        checked_url("http://10.0.0.1/", networks("127.0.0.0/8"))


@given(st.text(max_size=60))
def test_no_text_is_more_than_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://hooks.example.com/{text}"):
        with suppress(InvalidInput):
            taken = checked_url(url, [])
            assert checked_url(taken, []) == taken


@pytest.fixture
def slow_name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Lookups of one name take until they are let go; answers how."""
    go, real = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: str, *rest: object, **more: object) -> object:
        if host == "slow.example.com":
            go.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "gave up")
        return real(host, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield go.set
    go.set()


async def test_lookups_that_hang_hold_up_no_other(slow_name_server: Callable[[], None]) -> None:
    resolver = Resolver()
    hanging = [asyncio.create_task(resolver.resolve("slow.example.com", 80)) for _ in range(100)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        [found, *_] = await resolver.resolve("localhost", 80, socket.AF_INET)
    assert found["host"] == "127.0.0.1"
    assert not any(task.done() for task in hanging)
    slow_name_server()
    assert {type(e) for e in await asyncio.gather(*hanging, return_exceptions=True)} == {OSError}
