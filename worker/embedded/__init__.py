"""Throw-away Postgres and Redis servers for the demo, development and the tests.

They listen on sockets in a private temporary directory, or on 127.0.0.1 when given a port. Each
lives beside a guard: a shell that holds the read end of a pipe from this process. However this
process ends, SIGKILL included, the pipe closes; the guard then ends the server and removes the
directory. A guard is bound to the process and not to a thread, so any thread may start a server.
"""

from typing import Self

from worker.embedded.postgres import EmbeddedPostgres
from worker.embedded.redis import EmbeddedRedis
from worker.embedded.server import EmbeddedServer, EmbeddedServerError

__all__ = [
    "EmbeddedPostgres",
    "EmbeddedRedis",
    "EmbeddedServer",
    "EmbeddedServerError",
    "EmbeddedServers",
]


class EmbeddedServers:
    """Both servers, on sockets: `with EmbeddedServers() as servers: servers.database_url`."""

    def __init__(self) -> None:
        self.postgres = EmbeddedPostgres()
        self.redis = EmbeddedRedis()

    def __enter__(self) -> Self:
        try:
            self.postgres.start()
            self.redis.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop both and remove everything they had on disk."""
        self.redis.close()
        self.postgres.close()

    @property
    def database_url(self) -> str:
        """The Postgres address."""
        return self.postgres.url

    @property
    def redis_url(self) -> str:
        """The Redis address."""
        return self.redis.url
