"""The faults of a plan, as they strike a world."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.fake_postgres.server import TROUBLES
from tests.simulation.plan import Fault

if TYPE_CHECKING:
    from tests.simulation.world import World

# About as many as a few seconds of work take.
MOST_TURNS = 500


def apply(world: World, fault: Fault) -> None:
    """Let it happen now, unless the world has healed; what it began ends by itself."""
    if not world.healed:
        world.trace.note("FAULT", fault.what, worker=fault.worker, seconds=round(fault.seconds, 3))
        world.around.calm.disturb(world.loop.time() + fault.seconds)
        _FAULTS[fault.what](world, fault)


def _later(world: World, fault: Fault, end: Callable[[], object]) -> None:
    world.loop.outside(fault.seconds, lambda: world.healed or end())


def _kill(world: World, fault: Fault) -> None:
    world.workers[fault.worker].process.kill()


def _kill_midway(world: World, fault: Fault) -> None:
    process = world.workers[fault.worker].process
    process.after_turns(world.random.randrange(MOST_TURNS), process.kill)


def _pause_midway(world: World, fault: Fault) -> None:
    worker = world.workers[fault.worker]
    turns = world.random.randrange(MOST_TURNS)

    def pause() -> None:
        if not world.healed:
            worker.pause(fault.seconds)

    worker.process.after_turns(turns, pause)


def _stop(world: World, fault: Fault) -> None:
    world.workers[fault.worker].stop(min(fault.seconds, 6.0))


def _pause(world: World, fault: Fault) -> None:
    world.workers[fault.worker].pause(fault.seconds)


def _block(world: World, fault: Fault) -> None:
    world.workers[fault.worker].block(fault.seconds)


def _clock(world: World, fault: Fault) -> None:
    world.workers[fault.worker].process.clock_error = world.random.choice([-3600.0, 3600.0])


def _flush(world: World, fault: Fault) -> None:
    world.redis.forget()


def _redis_down(world: World, fault: Fault) -> None:
    world.redis.go_down()
    _later(world, fault, world.redis.come_up)


def _redis_restart(world: World, fault: Fault) -> None:
    world.redis.go_down()
    _later(world, fault, world.redis.restart)


def _redis_trouble(world: World, fault: Fault) -> None:
    world.redis.trouble = fault.what.removeprefix("redis ")

    def end() -> None:
        world.redis.trouble = ""

    _later(world, fault, end)


def _nobody_is_heard(world: World, fault: Fault) -> None:
    for worker in world.workers:
        worker.well.disturb(world.loop.time() + fault.seconds)


def _postgres_down(world: World, fault: Fault) -> None:
    _nobody_is_heard(world, fault)
    world.postgres.go_down()
    _later(world, fault, world.postgres.come_up)


def _postgres_trouble(world: World, fault: Fault) -> None:
    _nobody_is_heard(world, fault)
    world.postgres.trouble = world.random.choice(sorted(TROUBLES))

    def end() -> None:
        world.postgres.trouble = ""

    _later(world, fault, end)


def _silent(world: World, fault: Fault) -> None:
    worker = world.workers[fault.worker]
    links = {
        "redis silent": [worker.to_redis],
        "postgres silent": [worker.to_postgres],
        "both silent": [worker.to_redis, worker.to_postgres],
    }[fault.what]
    if worker.to_postgres in links:
        worker.well.disturb(world.loop.time() + fault.seconds)
    for link in links:
        link.set_silent(True)
        world.loop.outside(fault.seconds, link.set_silent, False)


_FAULTS: dict[str, Callable[[World, Fault], None]] = {
    "kill": _kill,
    "kill midway": _kill_midway,
    "pause midway": _pause_midway,
    "stop": _stop,
    "pause": _pause,
    "block": _block,
    "clock": _clock,
    "flush": _flush,
    "redis down": _redis_down,
    "redis restart": _redis_restart,
    "redis full": _redis_trouble,
    "redis demoted": _redis_trouble,
    "postgres down": _postgres_down,
    "postgres trouble": _postgres_trouble,
    "redis silent": _silent,
    "postgres silent": _silent,
    "both silent": _silent,
}
FAULTS = tuple(_FAULTS)
