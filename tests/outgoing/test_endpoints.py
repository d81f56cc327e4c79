"""The service behind the endpoints' API: what it rings, and what it leaves when it refuses."""

import asyncio
from ipaddress import ip_network

import pytest
from cryptography.fernet import Fernet

from tests.outgoing.records import ORG, Rings, counts, organisation, rows
from worker.cipher import ENDPOINTS, Cipher
from worker.database.pool import Pool
from worker.errors import Conflict, InvalidInput, NotFound
from worker.jobs.ids import new_id
from worker.outgoing.endpoint_views import EndpointChange, NewEndpoint
from worker.outgoing.endpoints import Endpoints

NOTHING = {"messages": 0, "deliveries": 0, "jobs": 0}
WANTED = NewEndpoint(url="https://hooks.example.org/")


@pytest.fixture
def rings() -> Rings:
    return Rings()


@pytest.fixture
async def endpoints(pool: Pool, rings: Rings) -> Endpoints:
    await organisation(pool)
    return Endpoints(pool, rings, Cipher([Fernet.generate_key().decode()], ENDPOINTS), [])


async def test_what_is_told_is_rung(pool: Pool, endpoints: Endpoints, rings: Rings) -> None:
    first, second = await endpoints.add(ORG, WANTED), await endpoints.add(ORG, WANTED)
    await endpoints.test(ORG, first.id)
    assert [ring.key for ring in rings.kept] == [f"endpoint:{first.id}"]
    await endpoints.disable(ORG, first.id)
    assert [ring.key for ring in rings.kept[1:]] == [f"endpoint:{second.id}"]
    await endpoints.enable(ORG, first.id)
    assert {ring.id for ring in rings.kept} == {job["id"] for job in await rows(pool, "jobs")}
    assert len(rings.kept) == 4


async def test_a_refused_test_leaves_nothing(
    pool: Pool, endpoints: Endpoints, rings: Rings
) -> None:
    endpoint = await endpoints.add(ORG, WANTED)
    await endpoints.disable(ORG, endpoint.id)
    with pytest.raises(Conflict):
        await endpoints.test(ORG, endpoint.id)
    with pytest.raises(NotFound):
        await endpoints.test(ORG, new_id())
    assert (await counts(pool), rings.kept) == (NOTHING, [])


async def test_switching_at_once_ends_in_one_of_both_and_tells_each_change_once(
    pool: Pool, endpoints: Endpoints
) -> None:
    endpoint = await endpoints.add(ORG, WANTED)
    await endpoints.add(ORG, WANTED)
    switches = [endpoints.disable, endpoints.enable] * 5
    await asyncio.gather(*(switch(ORG, endpoint.id) for switch in switches))
    told = [message["event"] for message in await rows(pool, "outgoing_messages")]
    changes = ["endpoint.disabled", "endpoint.enabled"] * 5
    assert told == changes[: len(told)]
    expected = "disabled" if len(told) % 2 else "enabled"
    assert (await endpoints.get(ORG, endpoint.id)).state == expected


async def test_an_operators_own_network_is_allowed(pool: Pool, endpoints: Endpoints) -> None:
    inside = NewEndpoint(url="http://10.1.2.3:8080/hook")
    with pytest.raises(InvalidInput) as refused:
        await endpoints.add(ORG, inside)
    assert list(refused.value.fields) == ["url"]
    key = Fernet.generate_key().decode()
    allowing = Endpoints(pool, Rings(), Cipher([key], ENDPOINTS), [ip_network("10.0.0.0/8")])
    assert (await allowing.add(ORG, inside)).url == inside.url


async def test_a_change_is_of_what_is_given_alone(endpoints: Endpoints) -> None:
    before = await endpoints.add(ORG, NewEndpoint(url=WANTED.url, description="d", schedule="long"))
    after = await endpoints.change(ORG, before.id, EndpointChange(description=""))
    assert (after.description, after.schedule, after.url) == ("", "long", WANTED.url)
    assert after.events == ["*"]
