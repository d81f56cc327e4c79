"""Checked reads of a parsed JSON object: every fault names its dotted field."""

import re
from typing import Any, Never

from webhooks.github.strict_json import quoted
from worker.errors import InvalidInput

# Apps end in [bot], and accounts that a company manages have an underscore.
_LOGIN = re.compile(r"[A-Za-z0-9_-]{1,100}(?:\[bot\])?")


class Fields:
    """An object's members; `path` is the dotted name of the object itself.

    A field that is absent or null reads as None (flags as False) unless the
    reader is a `required_` one. A value of another type raises InvalidInput, if nothing is said.
    """

    def __init__(self, members: dict[str, Any], path: str = "") -> None:
        self._members = members
        self._path = path

    def child(self, name: str) -> "Fields | None":
        """The object in that field."""
        value = self._read(name, dict, "an object")
        return None if value is None else Fields(value, self._dotted(name))

    def text(self, name: str, limit: int) -> str | None:
        """A string of at most `limit` characters."""
        value: str | None = self._read(name, str, "a string")
        if value is not None and len(value) > limit:
            self.refuse(name, f"is longer than {limit} characters")
        return value

    def flag(self, name: str) -> bool:
        """A boolean."""
        return bool(self._read(name, bool, "true or false"))

    def whole_number(self, name: str) -> int | None:
        """An integer; None for anything else, such as a date where GitHub writes it as text."""
        value = self._members.get(name)
        return value if type(value) is int else None

    def login(self, name: str) -> str | None:
        """The `login` of the account in that field; None for anything that is no login."""
        account = self._members.get(name)
        login = account.get("login") if type(account) is dict else None
        return login if type(login) is str and _LOGIN.fullmatch(login) else None

    def required_child(self, name: str) -> "Fields":
        """The object in that field."""
        return self.child(name) or self.refuse(name, "is missing")

    def required_text(self, name: str, pattern: re.Pattern[str], meaning: str) -> str:
        """A string that `pattern` matches as a whole; `meaning` says what it should be."""
        value: str | None = self._read(name, str, "a string")
        if value is None:
            self.refuse(name, "is missing")
        if pattern.fullmatch(value) is None:
            self.refuse(name, f"must be {meaning}, not {quoted(value)}")
        return value

    def required_id(self, name: str) -> int:
        """A positive integer."""
        value: int | None = self._read(name, int, "an integer")
        if value is None:
            self.refuse(name, "is missing")
        if value < 1:
            self.refuse(name, "must be positive")
        return value

    def refuse(self, name: str, problem: str) -> Never:
        """Raise InvalidInput for that field."""
        raise InvalidInput(f"{self._dotted(name)} {problem}.", {self._dotted(name): problem})

    def _read(self, name: str, kind: type, meaning: str) -> Any:
        value = self._members.get(name)
        # By exact type: in Python a bool is an int too.
        if type(value) is not kind and value is not None:
            self.refuse(name, f"must be {meaning}")
        return value

    def _dotted(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name
