"""A Redis server: what one command does, who waits for what, and the troubles it can be in."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, ClassVar

from tests.simulation.fake_redis import collections as commands_on_collections
from tests.simulation.fake_redis import ordered
from tests.simulation.fake_redis.commands import COMMANDS, OK, Arguments, List, Status, integer
from tests.simulation.fake_redis.keyspace import Keyspace, ReplyError
from tests.simulation.fake_redis.scripts import digest, interpreter
from tests.simulation.loop import EPOCH_SECONDS, SimulatedLoop
from tests.simulation.network import Connection, Server, settle

MODULES = (commands_on_collections, ordered)
FULL = "OOM command not allowed when used memory > 'maxmemory'."
DEMOTED = "READONLY You can't write against a read only replica."
UNKNOWN_SCRIPT = "NOSCRIPT No matching script. Please use EVAL."
# What subscribing answers: its reply comes as a message.
SILENCE = object()
# A command that is more than a function of the keys.
Special = Callable[[Any, Connection, list[bytes], Any], Any]
Around = Callable[[str, bytes], AbstractContextManager[None]]


class RedisServer(Server):
    """One database. `trouble` is `full`, `demoted` or nothing."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self.keys = Keyspace(lambda: int((EPOCH_SECONDS + loop.time()) * 1000))
        self.trouble = ""
        self.commands = 0
        self.published: list[tuple[float, bytes, bytes]] = []
        # Entered around every script, with who asks for it and its first key.
        self.around: Around = lambda asking, key: nullcontext()
        self._loop = loop
        self._scripts: dict[bytes, bytes] = {}
        self._poppers: dict[bytes, list[asyncio.Future[Any]]] = defaultdict(list)
        self._listeners: dict[bytes, list[tuple[Connection, Any]]] = defaultdict(list)
        self._wrote = False

    def forget(self) -> None:
        """Lose the data, as FLUSHALL does."""
        self.keys.clear()

    def restart(self) -> None:
        """Come up without scripts and without data."""
        self.forget()
        self._scripts.clear()
        self.come_up()

    def serve_packet(self, connection: Connection, packet: list[list[bytes]], push: Any) -> Any:
        """Do the commands of one packet; answers their replies, or a future of them."""
        if packet[0] == [b"MULTI"]:
            return self._transaction(connection, packet[1:-1], push)
        replies = [self._serve(connection, words, push) for words in packet]
        if len(replies) == 1 and isinstance(replies[0], asyncio.Future):
            return replies[0]
        return [r for r in replies if r is not SILENCE]

    def _transaction(self, connection: Connection, commands: list[list[bytes]], push: Any) -> Any:
        replies = [self._serve(connection, words, push) for words in commands]
        return [OK, *(Status(b"QUEUED") for _ in commands), replies]

    def _serve(self, connection: Connection, words: list[bytes], push: Any) -> Any:
        self.commands += 1
        name = words[0].upper()
        special = self._SPECIAL.get(name)
        try:
            if special is not None:
                return special(self, connection, words[1:], push)
            return self._do(name, words[1:], self.trouble)
        except ReplyError as error:
            return error

    def _do(self, name: bytes, arguments: Arguments, trouble: str) -> Any:
        command = COMMANDS.get(name)
        if command is None:
            raise NotImplementedError(f"the simulated Redis does not know {name!r}")
        if command.writes and trouble == "demoted":
            raise ReplyError(DEMOTED)
        if command.grows and trouble == "full" and not self._wrote:
            raise ReplyError(FULL)
        reply = command.run(self.keys, arguments)
        if name in (b"LPUSH", b"RPUSH"):
            self._feed(arguments[0])
        return reply

    def _eval(self, connection: Connection, words: list[bytes], push: Any) -> Any:
        self._scripts[digest(words[0])] = words[0]
        return self._run_script(connection, words[0], words[1:])

    def _run_script(self, connection: Connection, body: bytes, words: list[bytes]) -> Any:
        count = integer(words[0])
        keys, arguments = words[1 : 1 + count], words[1 + count :]
        # As Redis does: whether memory is full is asked once, and not after the first write.
        trouble, self._wrote = self.trouble, False
        try:
            with self.around(connection.name, keys[0] if keys else b""):
                return interpreter().run(body, keys, arguments, partial(self._called, trouble))
        finally:
            self._wrote = False

    def _called(self, trouble: str, words: list[bytes]) -> Any:
        name = words[0].upper()
        if name == b"PUBLISH":
            return self._publish(words[1], words[2])
        reply = self._do(name, words[1:], trouble)
        self._wrote = self._wrote or COMMANDS[name].writes
        return reply

    def _evalsha(self, connection: Connection, words: list[bytes], push: Any) -> Any:
        body = self._scripts.get(words[0])
        if body is None:
            raise ReplyError(UNKNOWN_SCRIPT)
        return self._run_script(connection, body, words[1:])

    def _script(self, connection: Connection, words: list[bytes], push: Any) -> Any:
        if words[0].upper() != b"LOAD":
            raise NotImplementedError(f"SCRIPT {words[0]!r}")
        self._scripts[digest(words[1])] = words[1]
        return digest(words[1])

    def _blpop(self, connection: Connection, words: list[bytes], push: Any) -> Any:
        *names, timeout = words
        if self.trouble == "demoted":
            raise ReplyError(DEMOTED)
        for key in names:
            if self.keys.get(key, List):
                return [key, COMMANDS[b"LPOP"].run(self.keys, [key])]
        waiter: asyncio.Future[Any] = self._loop.create_future()
        for key in names:
            self._poppers[key].append(waiter)
        self._loop.outside(float(timeout), settle, waiter, [None])
        # A client that is gone must not be given what others wait for.
        connection.on_close.append(waiter.cancel)
        return waiter

    def _feed(self, key: bytes) -> None:
        waiters = self._poppers.pop(key, [])
        while waiters and self.keys.peek(key):
            waiter = waiters.pop(0)
            if not waiter.done():
                waiter.set_result([[key, COMMANDS[b"LPOP"].run(self.keys, [key])]])
        if waiters:
            self._poppers[key] = [w for w in waiters if not w.done()]

    def _publish_command(self, connection: Connection, words: list[bytes], push: Any) -> Any:
        return self._publish(words[0], words[1])

    def _publish(self, channel: bytes, message: bytes) -> int:
        self.published.append((self._loop.time(), channel, message))
        listeners = [(c, push) for c, push in self._listeners[channel] if c.open]
        for _, push in listeners:
            push([b"message", channel, message])
        return len(listeners)

    def _subscribe(self, connection: Connection, words: list[bytes], push: Any) -> Any:
        for number, channel in enumerate(words, 1):
            self._listeners[channel].append((connection, push))
            push([b"subscribe", channel, number])
        connection.on_close.append(lambda: self._leave(connection))
        return SILENCE

    def _leave(self, connection: Connection) -> None:
        for channel, listeners in self._listeners.items():
            self._listeners[channel] = [(c, p) for c, p in listeners if c is not connection]

    def _unsubscribe(self, connection: Connection, words: list[bytes], push: Any) -> Any:
        for channel in words or [*self._listeners]:
            others = [(c, p) for c, p in self._listeners[channel] if c is not connection]
            self._listeners[channel] = others
            push([b"unsubscribe", channel, 0])
        return SILENCE

    def _ping(self, connection: Connection, words: list[bytes], push: Any) -> Any:
        if any(c is connection for listeners in self._listeners.values() for c, _ in listeners):
            push([b"pong", words[0] if words else b""])
            return SILENCE
        return words[0] if words else Status(b"PONG")

    def _accept(self, connection: Connection, words: list[bytes], push: Any) -> Any:
        return OK

    _SPECIAL: ClassVar[dict[bytes, Special]] = {
        b"EVAL": _eval,
        b"EVALSHA": _evalsha,
        b"SCRIPT": _script,
        b"BLPOP": _blpop,
        b"PUBLISH": _publish_command,
        b"SUBSCRIBE": _subscribe,
        b"UNSUBSCRIBE": _unsubscribe,
        b"CLIENT": _accept,
        b"SELECT": _accept,
        b"PING": _ping,
    }
