"""Group commit: alone at once, together when busy, and nobody suffers for another's item."""

import asyncio
from collections.abc import Sequence

import pytest

from worker.database.batcher import Batcher, Gatherer


class Flushes:
    """A flush that waits at a gate, remembers its batches and squares its items."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = self.most_at_once = 0

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await self.gate.wait()
            if 0 in items:
                raise ZeroDivisionError("zero in the batch")
            if 13 in items:
                raise LookupError("thirteen in the batch")
            return [i * i for i in items]
        finally:
            self.under_way -= 1


async def turns(count: int = 5) -> None:
    """Let everything that is ready run; nothing here depends on time."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
def flushes() -> Flushes:
    return Flushes()


async def test_a_lone_item_goes_out_at_once(flushes: Flushes) -> None:
    batcher: Batcher[int, int] = Batcher(flushes)
    flushes.gate.clear()
    caller = asyncio.ensure_future(batcher.submit(3))
    await turns(2)
    assert flushes.batches == [[3]]
    flushes.gate.set()
    assert await caller == 9


@pytest.mark.parametrize("most", [1, 2, 5])
async def test_no_flush_is_empty(flushes: Flushes, most: int) -> None:
    batcher: Batcher[int, int] = Batcher(flushes, max_flushes=most)
    answers = await asyncio.gather(*(batcher.submit(n) for n in range(1, 9)))
    await turns()
    assert (answers, flushes.batches) == ([n * n for n in range(1, 9)], [[*range(1, 9)]])


async def test_what_does_not_fit_goes_out_beside(flushes: Flushes) -> None:
    batcher: Batcher[int, int] = Batcher(flushes, max_items=3, max_flushes=2)
    flushes.gate.clear()
    callers = [asyncio.ensure_future(batcher.submit(n)) for n in range(1, 9)]
    await turns()
    assert flushes.batches == [[1, 2, 3], [4, 5, 6]]
    flushes.gate.set()
    await asyncio.gather(*callers)
    assert flushes.batches[2:] == [[7, 8]]


async def test_beside_a_flush_only_a_crowd_goes_out(flushes: Flushes) -> None:
    batcher: Batcher[int, int] = Batcher(flushes, max_flushes=2, crowd=3)
    flushes.gate.clear()
    callers = [asyncio.ensure_future(batcher.submit(1))]
    for n in (2, 3):
        await turns()
        callers.append(asyncio.ensure_future(batcher.submit(n)))
    await turns()
    assert flushes.batches == [[1]]
    callers.append(asyncio.ensure_future(batcher.submit(4)))
    await turns()
    assert flushes.batches == [[1], [2, 3, 4]]
    callers.append(asyncio.ensure_future(batcher.submit(5)))
    flushes.gate.set()
    await asyncio.gather(*callers)
    assert flushes.batches[2:] == [[5]], "however few: nothing is under way any more"


async def test_a_flush_cancelled_before_it_began_keeps_nobody_waiting(flushes: Flushes) -> None:
    batcher: Batcher[int, int] = Batcher(flushes)
    first = batcher.post(1)
    for task in batcher._running:
        task.cancel()
    await turns()
    assert await asyncio.wait_for(batcher.submit(2), 5) == 4
    assert await first == 1


async def test_what_arrives_during_a_flush_shares_the_next(flushes: Flushes) -> None:
    batcher: Batcher[int, int] = Batcher(flushes)
    flushes.gate.clear()
    callers = [asyncio.ensure_future(batcher.submit(1))]
    await turns()
    callers += [asyncio.ensure_future(batcher.submit(n)) for n in (2, 3, 4)]
    await turns()
    assert flushes.batches == [[1]]
    flushes.gate.set()
    assert await asyncio.gather(*callers) == [1, 4, 9, 16]
    assert flushes.batches == [[1], [2, 3, 4]]


async def test_no_flush_gets_more_than_the_most_allowed(flushes: Flushes) -> None:
    batcher: Batcher[int, int] = Batcher(flushes, max_items=4)
    assert await asyncio.gather(*(batcher.submit(n) for n in range(1, 11))) == [
        n * n for n in range(1, 11)
    ]
    assert [len(b) for b in flushes.batches] == [4, 4, 2]


@pytest.mark.parametrize("most", [1, 3])
async def test_no_more_flushes_run_at_once_than_allowed(flushes: Flushes, most: int) -> None:
    batcher: Batcher[int, int] = Batcher(flushes, max_items=1, max_flushes=most)
    flushes.gate.clear()
    callers = [asyncio.ensure_future(batcher.submit(n)) for n in range(1, 8)]
    await turns()
    assert flushes.under_way == most
    flushes.gate.set()
    await asyncio.gather(*callers)
    assert flushes.most_at_once == most


async def test_an_isolated_error_fails_only_its_own_caller(flushes: Flushes) -> None:
    batcher: Batcher[int, int] = Batcher(flushes, isolate=(ZeroDivisionError,))
    answers = await asyncio.gather(*(batcher.submit(n) for n in (1, 0, 3)), return_exceptions=True)
    assert (answers[0], answers[2]) == (1, 9)
    assert isinstance(answers[1], ZeroDivisionError)
    assert flushes.batches == [[1, 0, 3], [1], [0], [3]]


async def test_another_error_while_isolating_fails_only_its_own_caller(flushes: Flushes) -> None:
    batcher: Batcher[int, int] = Batcher(flushes, isolate=(ZeroDivisionError,))
    answers = await asyncio.gather(*(batcher.submit(n) for n in (0, 13, 3)), return_exceptions=True)
    assert [type(a) for a in answers] == [ZeroDivisionError, LookupError, int]


async def test_any_other_error_fails_every_caller_of_its_flush_and_no_other(
    flushes: Flushes,
) -> None:
    batcher: Batcher[int, int] = Batcher(flushes, max_items=3, isolate=(ZeroDivisionError,))
    answers = await asyncio.gather(
        *(batcher.submit(n) for n in (1, 13, 3, 4)), return_exceptions=True
    )
    assert [type(a) for a in answers] == [LookupError, LookupError, LookupError, int]


async def test_a_wrong_number_of_answers_leaves_no_caller_waiting() -> None:
    async def forgetful(items: Sequence[int]) -> list[int]:
        return list(items[:-1])

    batcher: Batcher[int, int] = Batcher(forgetful)
    callers = asyncio.gather(*(batcher.submit(n) for n in (1, 2)), return_exceptions=True)
    answers = await asyncio.wait_for(callers, 2)
    assert isinstance(answers[-1], ValueError)


@pytest.mark.parametrize("end", [1, 13], ids=["answered", "failed"])
async def test_a_cancelled_callers_neighbours_get_their_answers(flushes: Flushes, end: int) -> None:
    batcher: Batcher[int, int] = Batcher(flushes)
    flushes.gate.clear()
    callers = [asyncio.ensure_future(batcher.submit(n)) for n in (end, 2)]
    await turns()
    callers[0].cancel()
    await turns()
    flushes.gate.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert isinstance(answers[1], int if end == 1 else LookupError)


async def test_a_posted_item_needs_nobody_to_wait_for_it(flushes: Flushes) -> None:
    batcher: Batcher[int, int] = Batcher(flushes)
    told = batcher.post(5)
    await batcher.drain()
    assert told.result() == 25


async def test_drain_waits_for_what_waits_too(flushes: Flushes) -> None:
    batcher: Batcher[int, int] = Batcher(flushes, max_items=2)
    callers = [asyncio.ensure_future(batcher.submit(n)) for n in range(1, 6)]
    await turns(1)
    await batcher.drain()
    assert [len(b) for b in flushes.batches] == [2, 2, 1]
    assert await asyncio.gather(*callers) == [1, 4, 9, 16, 25]
    await batcher.drain()


async def test_an_ended_flush_ends_its_callers_and_the_next_flush_runs(flushes: Flushes) -> None:
    """As when the loop is closing: nobody is left waiting for ever."""
    batcher: Batcher[int, int] = Batcher(flushes, max_items=1)
    flushes.gate.clear()
    callers = [asyncio.ensure_future(batcher.submit(n)) for n in (1, 2)]
    await turns()
    before = asyncio.all_tasks() - {asyncio.current_task(), *callers}
    [flush] = [t for t in before if "_flush_waiting" in repr(t.get_coro())]
    flush.cancel()
    await turns()
    flushes.gate.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1] == 4


class Gathered:
    """A flush that waits at a gate, and may be told to raise."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, items: Sequence[int]) -> None:
        await self.gate.wait()
        self.batches.append(list(items))
        if 0 in items:
            raise ZeroDivisionError("zero in the batch")


async def test_gathered_items_go_out_together_and_in_order() -> None:
    gathered = Gathered()
    gatherer = Gatherer(gathered, max_items=3)
    gathered.gate.clear()
    gatherer.put(1)
    await turns()
    for number in (2, 3, 4, 5, 6):
        gatherer.put(number)
    gathered.gate.set()
    await gatherer.drain()
    assert gathered.batches == [[1], [2, 3, 4], [5, 6]]


async def test_nothing_gathered_is_left_behind_at_the_end_of_a_flush() -> None:
    gathered = Gathered()
    gatherer = Gatherer(gathered)
    for number in range(1, 50):
        gatherer.put(number)
        await turns(number % 4)
    await gatherer.drain()
    assert [i for batch in gathered.batches for i in batch] == [*range(1, 50)]


async def test_a_flush_that_raises_does_not_stop_the_next() -> None:
    gathered = Gathered()
    gatherer = Gatherer(gathered)
    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    try:
        gatherer.put(0)
        await turns()
        gatherer.put(1)
        await gatherer.drain()
    finally:
        loop.set_exception_handler(None)
    assert gathered.batches == [[0], [1]]
