"""The simulated Redis answers as the real one does: commands, scripts, and scripts in trouble."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from tests.simulation.fake_redis.direct import DirectRedis
from worker.engine import claims
from worker.jobs import ring

STEPS = 2000
KEYS = [b"k1", b"k2", b"k3"]
MEMBERS = [b"a", b"b", b"c", b"d"]
# What a script returns, and how it comes back.
SCRIPTS = [
    "return {1, 2.9, 'x', false, 4}", "return {1, 'x', {true, {}}, -2.7}", "return nil",
    "return true", "return redis.call('TYPE', 'k1')", "return {ok = 'fine'}",
    "return {err = 'BAD thing'}", "return redis.pcall('LPUSH')['err'] ~= nil",
    "return tostring(redis.call('GET', 'nothing') == false)", "return {KEYS[1], ARGV[1], #ARGV}",
    "return redis.call('ZADD', 'k9', 1.5, 'a', 2, 'b')", "return string.format('%.0f', 2^53)",
    "return redis.call('ZRANGE', 'k9', 0, -1, 'WITHSCORES')", "return 1800001000123 + 0.5",
    "x = 1", "return y", "return redis.call('LPUSH', 'k9', 1)",
    "return redis.call('ZADD', 'k9', 2^60, 'big') + redis.call('ZCARD', 'k9')",
    "return redis.call('SET', 'number', 17000000000000)", "return redis.call('GET', 'number')",
    "return {tonumber('12'), tonumber('x') == nil, 7 / 2, math.floor(-1.5)}",
    "return {'a', nil, 1}",
    "for i = 1, 3 do redis.call('RPUSH', 'l', i * 1.5) end return redis.call('LRANGE', 'l', 0, -1)",
    "return select(2, pcall(redis.call, 'HGET', 'k9', 'f')) and 1 or 0",
]  # fmt: skip


@pytest.fixture
async def real(redis_url: str) -> Any:
    """A client of an empty Redis."""
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def fake() -> Iterator[DirectRedis]:
    """An empty simulated Redis."""
    direct = DirectRedis()
    yield direct
    direct.loop.close()


async def test_random_commands_are_answered_alike(real: Redis, fake: DirectRedis) -> None:
    for words in _commands(Random(7)):
        assert fake.do(*words) == await _asked(real, *words), words


@pytest.mark.parametrize("body", SCRIPTS)
async def test_scripts_are_answered_alike(real: Redis, fake: DirectRedis, body: str) -> None:
    for prepare in ((b"RPUSH", b"k1", b"x"), (b"EVAL", body.encode(), b"1", b"key", b"argument")):
        assert fake.do(*prepare) == await _asked(real, *prepare)


async def test_a_queues_scripts_do_the_same_to_both(real: Redis, fake: DirectRedis) -> None:
    """Rings, claims, renewals, settlements and releases in random order, on one frozen clock."""
    scripts = _queue_scripts()
    for number, (name, arguments) in enumerate(_queue_calls(Random(3))):
        # Time stands where the call says, for both.
        frozen = f"{{'{1_800_000_000 + 4 * (number // 3)}', '0'}}".encode()
        body = scripts[name].encode().replace(b"redis.call('TIME')", frozen)
        words = (b"EVAL", body, b"1", b"arq:queue:q", *arguments)
        assert fake.do(*words) == await _asked(real, *words), (number, name, arguments)
        assert await _dump(real) == _dumped(fake), (number, name, arguments)


async def test_a_full_redis_refuses_a_script_unless_it_began_with_a_delete(
    real: Redis, fake: DirectRedis
) -> None:
    fake.server.trouble = "full"
    used = (await real.info("memory"))["used_memory"]
    await real.config_set("maxmemory-policy", "noeviction")
    await real.config_set("maxmemory", max(used // 2, 1))
    try:
        for body in (
            b"return redis.call('SET', 'a', 1)",
            b"redis.call('DEL', 'none') redis.call('SET', 'a', 1) return redis.call('GET', 'a')",
            b"return redis.call('GET', 'a')",
        ):
            refused = fake.do(b"EVAL", body, b"0")
            assert isinstance(await _asked(real, b"EVAL", body, b"0"), str) is isinstance(
                refused, str
            )
        assert fake.do(b"SET", b"b", b"1") == await _asked(real, b"SET", b"b", b"1") == "OOM"
    finally:
        await real.config_set("maxmemory", 0)


async def _asked(real: Redis, *words: bytes) -> Any:
    try:
        connection = await real.connection_pool.get_connection()
        try:
            await connection.send_command(*words)
            return await connection.read_response()
        finally:
            await real.connection_pool.release(connection)
    except ResponseError as error:
        return _code(error)


def _code(error: ResponseError) -> str:
    # The client takes the code off some errors, and makes a class of it.
    names = {"OutOfMemoryError": "OOM", "NoScriptError": "NOSCRIPT", "ReadOnlyError": "READONLY"}
    text = names.get(type(error).__name__) or str(error).split(" ")[0]
    return text if text.isupper() else "ERR"


def _commands(random: Random) -> Iterator[list[bytes]]:
    def score() -> bytes:
        return random.choice([b"1", b"2.5", b"-3", b"1800001000123", b"10"])

    def bound() -> bytes:
        return random.choice([b"-inf", b"+inf", b"(2.5", b"1", b"(1", b"5"])

    def index() -> bytes:
        return b"%d" % random.randint(-4, 4)

    def member() -> bytes:
        return random.choice(MEMBERS)

    shapes: list[Any] = [
        lambda: [b"ZADD", score(), member()],
        lambda: [b"ZADD", random.choice([b"NX", b"XX", b"GT", b"LT", b"CH"]), score(), member()],
        lambda: [b"ZREM", member(), member()],
        lambda: [b"ZSCORE", member()],
        lambda: [b"ZCARD"],
        lambda: [b"ZCOUNT", bound(), bound()],
        lambda: [b"ZRANGE", index(), index(), b"WITHSCORES"],
        lambda: [b"ZREVRANGE", index(), index(), b"WITHSCORES"],
        lambda: [b"ZRANGE", bound(), bound(), b"BYSCORE", b"LIMIT", b"0", b"2"],
        lambda: [b"ZRANGEBYSCORE", bound(), bound(), b"WITHSCORES", b"LIMIT", b"1", b"-1"],
        lambda: [b"ZREMRANGEBYSCORE", bound(), bound()],
        lambda: [b"ZREMRANGEBYRANK", index(), index()],
        lambda: [b"ZPOPMIN", random.choice([b"1", b"2"])],
        lambda: [b"ZINCRBY", score(), member()],
        lambda: [b"ZRANK", member()],
        lambda: [b"HSET", member(), score(), member(), b"v"],
        lambda: [b"HSETNX", member(), b"w"],
        lambda: [b"HGET", member()],
        lambda: [b"HMGET", member(), member()],
        lambda: [b"HGETALL"],
        lambda: [b"HDEL", member(), member()],
        lambda: [b"HLEN"],
        lambda: [b"HEXISTS", member()],
        lambda: [b"HINCRBY", member(), b"2"],
        lambda: [b"LPUSH", member(), member()],
        lambda: [b"RPUSH", member()],
        lambda: [b"LPOP"],
        lambda: [b"RPOP"],
        lambda: [b"LLEN"],
        lambda: [b"LINDEX", index()],
        lambda: [b"LRANGE", index(), index()],
        lambda: [b"SADD", member(), member()],
        lambda: [b"SREM", member()],
        lambda: [b"SISMEMBER", member()],
        lambda: [b"SCARD"],
        lambda: [b"SET", score()],
        lambda: [b"SET", member(), random.choice([b"NX", b"XX"])],
        lambda: [b"GET"],
        lambda: [b"INCR"],
        lambda: [b"EXISTS"],
        lambda: [b"TYPE"],
        lambda: [b"TTL"],
        lambda: [b"DEL"],
        lambda: [b"DEL"],
        lambda: [b"EXPIRE", b"1000"],
        lambda: [b"PERSIST"],
    ]
    for _ in range(STEPS):
        name, *rest = random.choice(shapes)()
        yield [name, random.choice(KEYS), *rest]


def _queue_scripts() -> dict[str, str]:
    common = ring._COMMON
    paths = {n: Path(claims.__file__).with_name(f"{n}.lua") for n in
             ("claim", "settle", "renew", "release")}  # fmt: skip
    paths |= {n: Path(ring.__file__).with_name(f"{n}.lua") for n in ("ring", "forget")}
    return {n: f"{common}\n{p.read_text(encoding='utf-8')}" for n, p in paths.items()}


def _queue_calls(random: Random) -> Iterator[tuple[str, list[bytes]]]:
    ids = [b"id-%d" % n for n in range(12)]
    metas = [b"", b"5||t1", b"0|key|t1", b"0|key|t2", b"10|other|t2", b"-3||t3"]

    def token() -> bytes:
        return b"w:%d" % random.randint(1, 6)

    def limits() -> bytes:
        return random.choice([b"0", b"1", b"2"])

    for _ in range(400):
        job_id, meta = random.choice(list(zip(ids, metas * 2, strict=True)))
        delay = random.choice([b"-1", b"0", b"4000"])
        due = random.choice([b"0", b"0", b"%d" % (1_800_000_000_000 + random.randint(0, 800_000))])
        rate = random.choice([(b"0", b"0"), (b"3", b"60000")])
        yield random.choice(
            [
                ("ring", [job_id, due, meta]),
                ("ring", [job_id, due, meta]),
                ("claim", [b"3", b"12000", token(), limits(), limits(), *rate]),
                ("claim", [b"1", b"12000", token(), b"1", b"0", *rate]),
                ("renew", [b"12000", limits(), job_id, token(), meta]),
                ("settle", [limits(), job_id, token(), delay]),
                ("settle", [limits(), job_id, token(), delay]),
                ("release", [limits(), token()]),
                ("forget", [job_id]),
            ]
        )


async def _dump(real: Any) -> dict[bytes, Any]:
    return {k: await _value(real, k) for k in sorted(await real.keys("*"))}


async def _value(real: Any, key: bytes) -> Any:
    match await real.type(key):
        case b"zset":
            return await real.zrange(key, 0, -1, withscores=True)
        case b"hash":
            return await real.hgetall(key)
        case b"list":
            return await real.lrange(key, 0, -1)
        case b"set":
            return await real.smembers(key)
        case _:
            return await real.get(key)


def _dumped(fake: DirectRedis) -> dict[bytes, Any]:
    keys = fake.server.keys
    return {k: _plain(keys.peek(k)) for k in keys.names()}


def _plain(value: Any) -> Any:
    if hasattr(value, "ranked"):
        return [(member, score) for score, member in value.ranked()]
    return [*value] if hasattr(value, "appendleft") else value
