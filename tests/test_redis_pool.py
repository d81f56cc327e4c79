"""What the product's Redis client makes of a connection that ends under it."""

import pytest
import uvloop
from redis.exceptions import ConnectionError as ConnectionLost

from worker.redis_pool import connect_redis


def test_a_write_to_a_connection_that_was_just_closed_is_an_outage(redis_url: str) -> None:
    """uvloop raises RuntimeError for it, which no caller expects of Redis."""

    async def write() -> None:
        redis = connect_redis(redis_url)
        connection = await redis.connection_pool.get_connection()
        connection._writer.transport.abort()
        with pytest.raises(ConnectionLost, match="closed"):
            await connection.send_command("PING")
        await redis.connection_pool.release(connection)
        assert await redis.ping()
        await redis.aclose()

    uvloop.run(write())
