"""The table of commands, and those on keys and strings."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.simulation.fake_redis.keyspace import Keyspace, ReplyError, SortedSet, Stream

Arguments = Sequence[bytes]
Run = Callable[[Keyspace, Arguments], Any]
List: TypeAlias = deque
NOT_AN_INTEGER = "ERR value is not an integer or out of range"


class Status(bytes):
    """A simple string such as OK."""


OK = Status(b"OK")


@dataclass(frozen=True, slots=True)
class Command:
    """What a command does. `grows`: refused when memory is full."""

    run: Run
    writes: bool
    grows: bool


COMMANDS: dict[bytes, Command] = {}


def command(name: str, *, writes: bool = False, grows: bool = False) -> Callable[[Run], Run]:
    """Put the decorated function into the table."""

    def register(run: Run) -> Run:
        COMMANDS[name.encode()] = Command(run, writes or grows, grows)
        return run

    return register


def integer(raw: bytes) -> int:
    """The argument as an integer. Raises ReplyError."""
    try:
        return int(raw)
    except ValueError:
        raise ReplyError(NOT_AN_INTEGER) from None


def window(length: int, first: bytes, last: bytes) -> tuple[int, int]:
    """Redis's inclusive indexes, negative ones from the end, as a slice."""
    start, stop = integer(first), integer(last)
    start = max(start + length, 0) if start < 0 else start
    stop = stop + length if stop < 0 else stop
    return start, max(stop + 1, start)


def pairs(flat: Arguments) -> list[tuple[bytes, bytes]]:
    """A flat list two by two."""
    return list(zip(flat[::2], flat[1::2], strict=True))


@command("TIME")
def _time(keys: Keyspace, _: Arguments) -> Any:
    seconds, milliseconds = divmod(keys.now_ms(), 1000)
    return [b"%d" % seconds, b"%d" % (milliseconds * 1000)]


@command("TYPE")
def _type(keys: Keyspace, a: Arguments) -> Any:
    names: dict[type, bytes] = {bytes: b"string", List: b"list", dict: b"hash", set: b"set",
                                SortedSet: b"zset", Stream: b"stream"}  # fmt: skip
    value = keys.peek(a[0])
    return Status(b"none" if value is None else names[type(value)])


@command("EXISTS")
def _exists(keys: Keyspace, a: Arguments) -> Any:
    return sum(keys.peek(k) is not None for k in a)


@command("DEL", writes=True)
@command("UNLINK", writes=True)
def _del(keys: Keyspace, a: Arguments) -> Any:
    return sum(keys.peek(k) is not None and keys.delete(k) for k in a)


@command("EXPIRE", writes=True)
def _expire(keys: Keyspace, a: Arguments) -> Any:
    return int(keys.expire_at(a[0], keys.now_ms() + integer(a[1]) * 1000))


@command("PEXPIRE", writes=True)
def _pexpire(keys: Keyspace, a: Arguments) -> Any:
    return int(keys.expire_at(a[0], keys.now_ms() + integer(a[1])))


@command("PERSIST", writes=True)
def _persist(keys: Keyspace, a: Arguments) -> Any:
    return int(keys.persist(a[0]))


@command("PTTL")
def _pttl(keys: Keyspace, a: Arguments) -> Any:
    if keys.peek(a[0]) is None:
        return -2
    end = keys.end_of(a[0])
    return -1 if end is None else end - keys.now_ms()


@command("TTL")
def _ttl(keys: Keyspace, a: Arguments) -> Any:
    left = _pttl(keys, a)
    return left if left < 0 else (left + 500) // 1000


@command("FLUSHDB", writes=True)
@command("FLUSHALL", writes=True)
def _flush(keys: Keyspace, _: Arguments) -> Any:
    keys.clear()
    return OK


@command("GET")
def _get(keys: Keyspace, a: Arguments) -> Any:
    return keys.get(a[0], bytes)


@command("SET", grows=True)
def _set(keys: Keyspace, a: Arguments) -> Any:
    key, value, *options = a
    words = [o.upper() for o in options]
    there = keys.peek(key) is not None
    if (b"NX" in words and there) or (b"XX" in words and not there):
        return None
    keys.store(key, value)
    for word, unit in ((b"EX", 1000), (b"PX", 1)):
        if word in words:
            keys.expire_at(key, keys.now_ms() + integer(options[words.index(word) + 1]) * unit)
    return OK


@command("INCRBY", grows=True)
def _incrby(keys: Keyspace, a: Arguments) -> Any:
    end = keys.end_of(a[0])
    total = integer(keys.get(a[0], bytes) or b"0") + integer(a[1])
    keys.store(a[0], b"%d" % total)
    if end is not None:
        keys.expire_at(a[0], end)
    return total


@command("INCR", grows=True)
def _incr(keys: Keyspace, a: Arguments) -> Any:
    return _incrby(keys, [a[0], b"1"])
