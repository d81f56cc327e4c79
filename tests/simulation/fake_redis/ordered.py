"""The commands on sorted sets and streams."""

from typing import Any

from tests.simulation.fake_redis.commands import Arguments, command, integer, pairs, window
from tests.simulation.fake_redis.keyspace import Keyspace, ReplyError, SortedSet, Stream

NOT_A_FLOAT = "ERR value is not a valid float"
Ranked = list[tuple[float, bytes]]


def number(raw: bytes) -> float:
    """The argument as a float. Raises ReplyError."""
    try:
        return float(raw)
    except ValueError:
        raise ReplyError(NOT_A_FLOAT) from None


def shown(score: float) -> bytes:
    """A score as Redis writes it."""
    return b"%.17g" % score


def _ranked(keys: Keyspace, key: bytes) -> Ranked:
    members = keys.get(key, SortedSet)
    return members.ranked() if members is not None else []


def _between(ranked: Ranked, low: bytes, high: bytes) -> Ranked:
    above, under = low.startswith(b"("), high.startswith(b"(")
    least, most = number(low.lstrip(b"(")), number(high.lstrip(b"("))
    return [
        (score, member)
        for score, member in ranked
        if (least < score if above else least <= score)
        and (score < most if under else score <= most)
    ]


def _limited(found: Ranked, options: list[bytes]) -> Ranked:
    if b"LIMIT" not in options:
        return found
    at = options.index(b"LIMIT")
    offset, count = integer(options[at + 1]), integer(options[at + 2])
    return found[offset:] if count < 0 else found[offset : offset + count]


def _answer(found: Ranked, options: list[bytes]) -> list[bytes]:
    if b"WITHSCORES" in options:
        return [part for score, member in found for part in (member, shown(score))]
    return [member for _, member in found]


@command("ZADD", grows=True)
def _zadd(keys: Keyspace, a: Arguments) -> Any:
    words = {b"NX", b"XX", b"GT", b"LT", b"CH"}
    at = 1
    while a[at].upper() in words:
        at += 1
    options = {o.upper() for o in a[1:at]}
    given = [(number(score), member) for score, member in pairs(a[at:])]
    members = keys.open(a[0], SortedSet)
    added = changed = 0
    for score, member in given:
        before = members.scores.get(member)
        if _wanted(before, score, options):
            members.put(member, score)
            added += before is None
            changed += before is not None and before != score
    keys.shrink(a[0])
    return added + changed if b"CH" in options else added


def _wanted(before: float | None, score: float, options: set[bytes]) -> bool:
    if before is None:
        return b"XX" not in options
    if b"NX" in options or (b"GT" in options and score <= before):
        return False
    return not (b"LT" in options and score >= before)


@command("ZINCRBY", grows=True)
def _zincrby(keys: Keyspace, a: Arguments) -> Any:
    by = number(a[1])
    members = keys.open(a[0], SortedSet)
    members.put(a[2], members.scores.get(a[2], 0.0) + by)
    return shown(members.scores[a[2]])


@command("ZREM", writes=True)
def _zrem(keys: Keyspace, a: Arguments) -> Any:
    members = keys.get(a[0], SortedSet)
    if members is None:
        return 0
    removed = sum(members.discard(m) for m in a[1:])
    keys.shrink(a[0])
    return removed


@command("ZSCORE")
def _zscore(keys: Keyspace, a: Arguments) -> Any:
    members = keys.get(a[0], SortedSet)
    score = members.scores.get(a[1]) if members is not None else None
    return None if score is None else shown(score)


@command("ZCARD")
def _zcard(keys: Keyspace, a: Arguments) -> Any:
    return len(_ranked(keys, a[0]))


@command("ZCOUNT")
def _zcount(keys: Keyspace, a: Arguments) -> Any:
    return len(_between(_ranked(keys, a[0]), a[1], a[2]))


@command("ZRANK")
def _zrank(keys: Keyspace, a: Arguments) -> Any:
    order = [member for _, member in _ranked(keys, a[0])]
    return order.index(a[1]) if a[1] in order else None


@command("ZRANGE")
def _zrange(keys: Keyspace, a: Arguments) -> Any:
    options = [o.upper() for o in a[3:]]
    ranked = _ranked(keys, a[0])
    if b"BYSCORE" in options:
        low, high = (a[2], a[1]) if b"REV" in options else (a[1], a[2])
        found = _between(ranked, low, high)
        return _answer(_limited(found[::-1] if b"REV" in options else found, options), options)
    start, stop = window(len(ranked), a[1], a[2])
    return _answer((ranked[::-1] if b"REV" in options else ranked)[start:stop], options)


@command("ZREVRANGE")
def _zrevrange(keys: Keyspace, a: Arguments) -> Any:
    return _zrange(keys, [*a, b"REV"])


@command("ZRANGEBYSCORE")
def _zrangebyscore(keys: Keyspace, a: Arguments) -> Any:
    return _zrange(keys, [*a, b"BYSCORE"])


@command("ZPOPMIN", writes=True)
def _zpopmin(keys: Keyspace, a: Arguments) -> Any:
    found = _ranked(keys, a[0])[: integer(a[1]) if len(a) > 1 else 1]
    _remove(keys, a[0], found)
    return _answer(found, [b"WITHSCORES"])


@command("ZREMRANGEBYSCORE", writes=True)
def _zremrangebyscore(keys: Keyspace, a: Arguments) -> Any:
    return _remove(keys, a[0], _between(_ranked(keys, a[0]), a[1], a[2]))


@command("ZREMRANGEBYRANK", writes=True)
def _zremrangebyrank(keys: Keyspace, a: Arguments) -> Any:
    ranked = _ranked(keys, a[0])
    start, stop = window(len(ranked), a[1], a[2])
    return _remove(keys, a[0], ranked[start:stop])


def _remove(keys: Keyspace, key: bytes, found: Ranked) -> int:
    return int(_zrem(keys, [key, *(member for _, member in found)])) if found else 0


@command("XADD", grows=True)
def _xadd(keys: Keyspace, a: Arguments) -> Any:
    at = next(i for i, word in enumerate(a) if i and word == b"*")
    options = [o.upper() for o in a[1:at]]
    stream = keys.open(a[0], Stream)
    now = keys.now_ms()
    # The clock may not have moved since the last entry.
    later = now > stream.last[0]
    stream.last = (now, 0) if later else (stream.last[0], stream.last[1] + 1)
    stream.entries.append((stream.last, [*a[at + 1 :]]))
    if b"MAXLEN" in options:
        while len(stream.entries) > integer(options[-1]):
            stream.entries.popleft()
    return b"%d-%d" % stream.last
