"""How many requests may be under way: retries, and those to endpoints that may hang."""

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest

from tests.support import eventually
from worker.jobs.ids import new_id
from worker.outgoing import pacing
from worker.outgoing.outcomes import Sent
from worker.outgoing.pacing import Lane, NotNow, Pace

ANSWERED = Sent(500, "server_error", "the endpoint answered 500", duration_ms=9000)
HUNG = Sent(error_class="timeout", error="no answer", duration_ms=30_000)
REFUSED = Sent(error_class="connect", error="no connection", duration_ms=3)


async def entered(stack: AsyncExitStack, pace: Pace, endpoint: object, failures: int = 0) -> Lane:
    return await stack.enter_async_context(pace.turn(endpoint, failures))  # type: ignore[arg-type]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "PATIENCE_SECONDS", 0.05)


async def test_half_of_the_slots_stay_for_first_attempts() -> None:
    pace = Pace(4)
    async with AsyncExitStack() as stack:
        for failures in (1, 5):
            await entered(stack, pace, new_id(), failures)
        with pytest.raises(NotNow, match="retries"):
            await entered(stack, pace, new_id(), 1)
        for _ in range(3):
            await entered(stack, pace, new_id())
    async with pace.turn(new_id(), 2):
        pass


async def test_a_place_comes_back_whatever_happens() -> None:
    pace, endpoint = Pace(2), new_id()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with pace.turn(endpoint, 1):
                raise ZeroDivisionError


@pytest.mark.usefixtures("impatient")
async def test_before_its_first_answer_an_endpoint_gets_one_request_at_a_time() -> None:
    pace, endpoint = Pace(50), new_id()
    async with pace.turn(endpoint, 0):
        with pytest.raises(NotNow, match="not answered") as put_off:
            async with pace.turn(endpoint, 0):
                pass
        assert 5 <= put_off.value.seconds <= 60
        async with pace.turn(new_id(), 0):
            pass
    async with pace.turn(endpoint, 0):
        pass


@pytest.mark.usefixtures("impatient")
async def test_a_crowd_is_put_off_one_after_the_other() -> None:
    pace, endpoint, put_off = Pace(50), new_id(), list[float]()
    loop = asyncio.get_running_loop()

    async def another() -> None:
        with pytest.raises(NotNow):
            async with pace.turn(endpoint, 0):
                pass
        put_off.append(loop.time())

    async with pace.turn(endpoint, 0):
        await asyncio.gather(*(another() for _ in range(4)))
    assert all(later - one > 0.09 for one, later in pairwise(put_off))


async def test_those_that_come_meanwhile_go_on_as_soon_as_it_answers() -> None:
    pace, endpoint, together = Pace(50), new_id(), list[int]()
    go = asyncio.Event()

    async def another() -> None:
        async with pace.turn(endpoint, 0):
            together.append(1)
            await go.wait()

    async with pace.turn(endpoint, 0) as lane:
        others = [asyncio.create_task(another()) for _ in range(3)]
        await asyncio.sleep(0)
        assert together == []
        lane.saw(ANSWERED)
    await eventually(lambda: len(together) == 3)
    go.set()
    await asyncio.gather(*others)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("sent", "trusted"), [(ANSWERED, True), (REFUSED, True), (HUNG, False)])
async def test_only_one_that_hangs_is_not_trusted_any_more(sent: Sent, trusted: bool) -> None:
    pace, endpoint = Pace(50), new_id()
    async with pace.turn(endpoint, 0) as lane:
        lane.saw(ANSWERED)
    async with pace.turn(endpoint, 0) as lane, pace.turn(endpoint, 0):
        lane.saw(sent)
        async with AsyncExitStack() as stack:
            if trusted:
                await entered(stack, pace, endpoint)
            else:
                with pytest.raises(NotNow):
                    await entered(stack, pace, endpoint)


async def test_it_does_not_remember_endpoints_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_MOST_KNOWN", 3)
    pace, busy = Pace(50), new_id()
    async with pace.turn(busy, 0):
        for _ in range(10):
            async with pace.turn(new_id(), 0):
                pass
        assert len(pace._lanes) <= 4
        assert busy in pace._lanes
