"""The commands on lists, sets and hashes."""

from collections.abc import Callable
from typing import Any

from tests.simulation.fake_redis.commands import Arguments, List, command, integer, pairs, window
from tests.simulation.fake_redis.keyspace import Keyspace


@command("LPUSH", grows=True)
def _lpush(keys: Keyspace, a: Arguments) -> Any:
    values = keys.open(a[0], List)
    values.extendleft(a[1:])
    return len(values)


@command("RPUSH", grows=True)
def _rpush(keys: Keyspace, a: Arguments) -> Any:
    values = keys.open(a[0], List)
    values.extend(a[1:])
    return len(values)


@command("LPOP", writes=True)
def _lpop(keys: Keyspace, a: Arguments) -> Any:
    return _pop(keys, a[0], lambda values: values.popleft())


@command("RPOP", writes=True)
def _rpop(keys: Keyspace, a: Arguments) -> Any:
    return _pop(keys, a[0], lambda values: values.pop())


def _pop(keys: Keyspace, key: bytes, take: Callable[[Any], bytes]) -> bytes | None:
    values = keys.get(key, List)
    if values is None:
        return None
    value = take(values)
    keys.shrink(key)
    return value


@command("LLEN")
def _llen(keys: Keyspace, a: Arguments) -> Any:
    return len(keys.get(a[0], List) or ())


@command("LINDEX")
def _lindex(keys: Keyspace, a: Arguments) -> Any:
    values = keys.get(a[0], List) or ()
    at = integer(a[1])
    return values[at] if -len(values) <= at < len(values) else None


@command("LRANGE")
def _lrange(keys: Keyspace, a: Arguments) -> Any:
    values = list(keys.get(a[0], List) or ())
    start, stop = window(len(values), a[1], a[2])
    return values[start:stop]


@command("SADD", grows=True)
def _sadd(keys: Keyspace, a: Arguments) -> Any:
    members = keys.open(a[0], set)
    before = len(members)
    members.update(a[1:])
    return len(members) - before


@command("SREM", writes=True)
def _srem(keys: Keyspace, a: Arguments) -> Any:
    members = keys.get(a[0], set) or set()
    before = len(members)
    members.difference_update(a[1:])
    keys.shrink(a[0])
    return before - len(members)


@command("SMEMBERS")
def _smembers(keys: Keyspace, a: Arguments) -> Any:
    return sorted(keys.get(a[0], set) or ())


@command("SISMEMBER")
def _sismember(keys: Keyspace, a: Arguments) -> Any:
    return int(a[1] in (keys.get(a[0], set) or ()))


@command("SCARD")
def _scard(keys: Keyspace, a: Arguments) -> Any:
    return len(keys.get(a[0], set) or ())


@command("HSET", grows=True)
def _hset(keys: Keyspace, a: Arguments) -> Any:
    fields = keys.open(a[0], dict)
    before = len(fields)
    fields.update(pairs(a[1:]))
    return len(fields) - before


@command("HSETNX", grows=True)
def _hsetnx(keys: Keyspace, a: Arguments) -> Any:
    fields = keys.open(a[0], dict)
    if a[1] in fields:
        return 0
    fields[a[1]] = a[2]
    return 1


@command("HGET")
def _hget(keys: Keyspace, a: Arguments) -> Any:
    return (keys.get(a[0], dict) or {}).get(a[1])


@command("HMGET")
def _hmget(keys: Keyspace, a: Arguments) -> Any:
    fields = keys.get(a[0], dict) or {}
    return [fields.get(f) for f in a[1:]]


@command("HGETALL")
def _hgetall(keys: Keyspace, a: Arguments) -> Any:
    return [part for pair in (keys.get(a[0], dict) or {}).items() for part in pair]


@command("HLEN")
def _hlen(keys: Keyspace, a: Arguments) -> Any:
    return len(keys.get(a[0], dict) or {})


@command("HEXISTS")
def _hexists(keys: Keyspace, a: Arguments) -> Any:
    return int(a[1] in (keys.get(a[0], dict) or {}))


@command("HDEL", writes=True)
def _hdel(keys: Keyspace, a: Arguments) -> Any:
    fields = keys.get(a[0], dict) or {}
    removed = sum(fields.pop(f, None) is not None for f in a[1:])
    keys.shrink(a[0])
    return removed


@command("HINCRBY", grows=True)
def _hincrby(keys: Keyspace, a: Arguments) -> Any:
    fields = keys.open(a[0], dict)
    total = integer(fields.get(a[1], b"0")) + integer(a[2])
    fields[a[1]] = b"%d" % total
    return total
