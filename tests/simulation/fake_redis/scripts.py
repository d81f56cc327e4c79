"""Runs Lua scripts as Redis does: its version of Lua, its conversions, its rules about writes."""

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

from lupa import lua51  # type: ignore[import-untyped]

from tests.simulation.fake_redis.commands import Arguments, Status
from tests.simulation.fake_redis.keyspace import ReplyError

Call = Callable[[list[bytes]], Any]

# Globals are refused as Redis refuses them, so that a forgotten `local` is an error here, too.
_SANDBOX = b"""
return function(body, call)
  local compiled, problem = loadstring('return function(KEYS, ARGV) ' .. body .. '\\nend')
  if not compiled then error(problem, 0) end
  local names = {}
  for _, name in ipairs({'assert', 'error', 'ipairs', 'next', 'pairs', 'pcall', 'select',
                         'tonumber', 'tostring', 'type', 'unpack', 'math', 'string', 'table'}) do
    names[name] = _G[name]
  end
  names.redis = {
    call = call,
    pcall = function(...)
      local ok, answer = pcall(call, ...)
      return ok and answer or {err = tostring(answer)}
    end,
    status_reply = function(text) return {ok = text} end,
    error_reply = function(text) return {err = text} end,
  }
  setmetatable(names, {
    __newindex = function(_, name) error('attempt to create global variable ' .. name, 2) end,
    __index = function(_, name) error('attempt to access undefined variable ' .. name, 2) end,
  })
  return setfenv(compiled, names)()
end
"""


def digest(body: bytes) -> bytes:
    """The name of a script: its SHA-1 in hex."""
    return hashlib.sha1(body, usedforsecurity=False).hexdigest().encode()


class Interpreter:
    """One Lua for all servers; each call names the server's `call` that its script may use."""

    def __init__(self) -> None:
        self._lua = lua51.LuaRuntime(encoding=None, unpack_returned_tuples=True)
        self._sandbox = self._lua.execute(_SANDBOX)
        self._functions: dict[bytes, Any] = {}
        self._call: Call | None = None

    def run(self, body: bytes, keys: Arguments, arguments: Arguments, call: Call) -> Any:
        """The script's reply. Raises ReplyError."""
        function = self._functions.get(body)
        if function is None:
            function = self._functions[body] = self._sandbox(body, self._forward)
        self._call = call
        table = self._lua.table_from
        try:
            return self._reply(function(table(list(keys)), table(list(arguments))))
        except lua51.LuaError as error:
            raise ReplyError(f"ERR Error running script: {error}") from None
        finally:
            self._call = None

    def _forward(self, *parts: Any) -> Any:
        assert self._call is not None
        arguments = [p if isinstance(p, bytes) else b"%.17g" % p for p in parts]
        return self._value(self._call(arguments))

    def _value(self, reply: Any) -> Any:
        """A reply as Lua sees it: nil becomes false, a list a table, OK a table with `ok`."""
        match reply:
            case None:
                return False
            case Status():
                return self._lua.table_from({b"ok": bytes(reply)})
            case list():
                return self._lua.table_from([self._value(r) for r in reply])
        return reply

    def _reply(self, value: Any) -> Any:
        """What a script returned as a reply: fractions are cut off, a nil ends a table."""
        match value:
            case None | False:
                return None
            case True:
                return 1
            case int() | float():
                return int(value)
            case bytes():
                return value
        if value[b"err"] is not None:
            raise ReplyError(value[b"err"].decode())
        if value[b"ok"] is not None:
            return Status(value[b"ok"])
        items: list[Any] = []
        while (item := value[len(items) + 1]) is not None:
            items.append(self._reply(item))
        return items


@cache
def interpreter() -> Interpreter:
    """The interpreter of this process."""
    return Interpreter()
