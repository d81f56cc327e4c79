"""Where a message ends and what it belongs to, in the two protocols that the proxy carries."""

import struct
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from arq.connections import ArqRedis

from worker.database import queries
from worker.engine.claims import Claims
from worker.jobs.ring import Bell

PRODUCT = Path(queries.__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Message:
    """Whole protocol messages. `name` is the command or statement they ask for or answer."""

    data: bytes
    name: str = ""


class Dialect(Protocol):
    """Cuts the two directions of one connection into messages."""

    def requests(self, data: bytes) -> Iterator[Message]:
        """What became complete on the way to the server."""

    def replies(self, data: bytes) -> Iterator[Message]:
        """What became complete on the way to the client."""


class Resp:
    """Redis's RESP2. A call of a script goes by the script's name, everything else by its verb."""

    def __init__(self) -> None:
        self._up = b""
        self._down = b""
        self._names: deque[str] = deque()

    def requests(self, data: bytes) -> Iterator[Message]:
        """One command at a time."""
        self._up += data
        while (end := resp_end(self._up, 0)) is not None:
            raw, self._up = self._up[:end], self._up[end:]
            name = _command_name(raw)
            self._names.append(name)
            yield Message(raw, name)

    def replies(self, data: bytes) -> Iterator[Message]:
        """One reply at a time; what nobody asked for (pub/sub) has no name."""
        self._down += data
        while (end := resp_end(self._down, 0)) is not None:
            raw, self._down = self._down[:end], self._down[end:]
            yield Message(raw, self._names.popleft() if self._names else "")


class PostgresWire:
    """Postgres's protocol 3. An answer is everything up to ReadyForQuery: by then it is committed.

    Statements of the product go by their names in its .sql files, others by their text.
    """

    def __init__(self) -> None:
        self._up = b""
        self._down = b""
        self._held = b""
        self._greeted = False
        self._statements: dict[bytes, str] = {}
        self._bound = ""
        self._current: str | None = None

    def requests(self, data: bytes) -> Iterator[Message]:
        """One message at a time; only those that execute something have a name."""
        self._up += data
        while (end := self._request_end()) is not None:
            raw, self._up = self._up[:end], self._up[end:]
            name = self._look_at(raw) if self._greeted else ""
            self._greeted = True
            yield Message(raw, name)

    def replies(self, data: bytes) -> Iterator[Message]:
        """One message at a time, and the whole answer to a statement as one."""
        self._down += data
        while len(self._down) >= 5 and len(self._down) >= (end := 1 + _length(self._down, 1)):
            raw, self._down = self._down[:end], self._down[end:]
            if self._current is None:
                yield Message(raw)
                continue
            self._held += raw
            if raw[:1] == b"Z":
                yield Message(self._held, self._current)
                self._held, self._current = b"", None

    def _request_end(self) -> int | None:
        start = 1 if self._greeted else 0
        if len(self._up) < start + 4:
            return None
        end = start + _length(self._up, start)
        return end if len(self._up) >= end else None

    def _look_at(self, raw: bytes) -> str:
        kind, parts = raw[:1], raw[5:].split(b"\0")
        if kind == b"P":
            self._statements[parts[0]] = parts[1].decode()
        elif kind == b"B":
            self._bound = self._statements.get(parts[1], "")
        elif kind in b"EQ":
            sql = self._bound if kind == b"E" else parts[0].decode()
            self._current = statement_names().get(sql, sql)
            return self._current
        return ""


def resp_end(data: bytes, start: int) -> int | None:
    """Where the RESP value that begins at `start` ends; None while it is incomplete."""
    line = data.find(b"\r\n", start)
    if line < 0:
        return None
    kind, rest = data[start : start + 1], line + 2
    if kind not in b"$*":
        return rest
    size = int(data[start + 1 : line])
    if size < 0:
        return rest
    if kind == b"$":
        end = rest + size + 2
        return end if len(data) >= end else None
    position: int | None = rest
    for _ in range(size):
        position = None if position is None else resp_end(data, position)
    return position


@cache
def script_names() -> Mapping[bytes, str]:
    """The product's Redis scripts: SHA1 → the name of its file."""
    recorder = _Recorder()
    Bell(recorder)
    Claims(recorder, "any", "any")
    return {script.sha.encode(): _file_of(script.script) for script in recorder.scripts}


@cache
def statement_names() -> Mapping[str, str]:
    """The product's statements: text → name in its .sql file."""
    files = (path for path in PRODUCT.rglob("*.sql") if path.parent.name != "migrations")
    return {s.sql: s.name for path in files for s in queries.statements(path)}


class _Recorder(ArqRedis):
    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[Any] = []

    def register_script(self, script: Any) -> Any:
        registered = super().register_script(script)
        self.scripts.append(registered)
        return registered


def _file_of(script: str) -> str:
    found = ((path.stem, path.read_text(encoding="utf-8")) for path in PRODUCT.rglob("*.lua"))
    return next(name for name, text in found if script.strip().endswith(text.strip()))


def _command_name(raw: bytes) -> str:
    parts = raw.split(b"\r\n", 5)
    verb = parts[2].lower() if len(parts) > 2 else parts[0].lower()
    if verb == b"evalsha":
        return script_names().get(parts[4], "evalsha")
    return verb.decode("latin-1")


def _length(data: bytes, start: int) -> int:
    return int(struct.unpack_from("!i", data, start)[0])
