"""The simulated Redis without a network: one command, one reply."""

from random import Random
from typing import Any

from tests.simulation.fake_redis.keyspace import ReplyError
from tests.simulation.fake_redis.server import RedisServer
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Connection, Link, Weather


class DirectRedis:
    """Answers at once; what would be an error is an answer, too."""

    def __init__(self) -> None:
        self.loop = SimulatedLoop(Random(0))
        self.server = RedisServer(self.loop)
        link = Link("direct", self.loop, self.server, Weather(), Random(0))
        self._connection = Connection(link)

    def do(self, *words: bytes) -> Any:
        """The reply of a command."""
        [reply] = self.server.serve_packet(self._connection, [[*words]], None)
        return str(reply).split(" ")[0] if isinstance(reply, ReplyError) else reply
