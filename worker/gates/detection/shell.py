"""What a line of shell can come to, as far as it can be read without running it."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

MAX_LINE = 4_000
_OPERATORS = frozenset({"&&", "||", ";", "|", "&", "|&", ";;"})
_COMPOUND = frozenset(
    [
        "if",
        "for",
        "while",
        "until",
        "case",
        "select",
        "function",
        "{",
        "(",
        "!",
        "[[",
        "set",
        "trap",
        "eval",
    ]
)
_HARMLESS = frozenset(
    [
        "echo",
        "printf",
        "true",
        ":",
        "cd",
        "export",
        "sleep",
        "date",
        "pwd",
        "clear",
        "continue",
        "wait",
    ]
)
_FILTERS = frozenset({"tee", "cat", "head", "tail", "sort", "less", "more", "sed", "tr", "wc"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_INLINE_JS = re.compile(r"\s*(console\.\w+\([^()]*\)|process\.exit\(0?\))?\s*;?\s*")
_ZERO_FLAGS = frozenset({"--exit-zero", "--exit-zero-always", "--issues-exit-code=0"})

_WATCHING = frozenset({"--watch", "--watchAll", "--watch-all", "--watchAll=true", "--watch=true"})
_WATCH_SHORT = frozenset({"vitest", "jest", "tsc", "vue-tsc", "mocha", "ava", "tap"})
_WATCHERS = frozenset(
    ["nodemon", "chokidar", "watchexec", "entr", "onchange", "ptw", "pytest-watch"]
)
_INTERACTIVE = frozenset({"--ui", "--inspect-brk", "--debug-brk"})


@dataclass(frozen=True)
class Simple:
    """One simple command, and the operator that leads to it ("" for the first)."""

    operator: str
    words: tuple[str, ...]


def split(line: str) -> list[Simple] | None:
    """The simple commands of `line`; None where it is more than a list of them."""
    if len(line) > MAX_LINE or "\n" in line.strip() or "`" in line or "$(" in line:
        return None
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return _commands(list(lexer))
    except ValueError:
        return None


def _commands(tokens: list[str]) -> list[Simple] | None:
    commands: list[Simple] = []
    operator, words = "", list[str]()
    for token in [*tokens, ";"]:
        if token not in _OPERATORS:
            words.append(token)
            continue
        if words:
            commands.append(Simple(operator, tuple(words)))
        operator, words = token, list[str]()
    return None if any(map(_compound, commands)) else commands


def _compound(command: Simple) -> bool:
    return command.words[0] in _COMPOUND or command.words[0].startswith("(")


def bare(words: Sequence[str]) -> tuple[str, ...]:
    """`words` without the assignments before them."""
    for index, word in enumerate(words):
        if not _ASSIGNMENT.fullmatch(word):
            return tuple(words[index:])
    return ()


def why_it_cannot_fail(line: str) -> str | None:
    """A reason for which `line` ends well whatever happens; None where it can fail."""
    if not line.strip():
        return "it is empty"
    commands = split(line)
    return _why(commands) if commands else None


def _why(commands: list[Simple]) -> str | None:
    reason: str | None = None
    for command, piped in _pipelines(commands):
        own = _why_alone(command, piped)
        match command.operator:
            case "&&":
                reason = own if reason else None
            case "||" if own and not reason:
                reason = f"`|| {shlex.join(command.words)}` hides every failure"
            case "||":
                pass
            case _:
                reason = own
    return reason


def _pipelines(commands: list[Simple]) -> list[tuple[Simple, bool]]:
    """Each pipe's last command, which alone decides its outcome, and whether it is fed."""
    pipes: list[tuple[Simple, bool]] = []
    for command in commands:
        if command.operator in ("|", "|&") and pipes:
            leading = pipes.pop()[0]
            pipes.append((Simple(leading.operator, command.words), True))
        else:
            pipes.append((command, False))
    return pipes


def _why_alone(command: Simple, piped: bool) -> str | None:
    words = bare(command.words)
    if not words or words[0] in _HARMLESS:
        return f"`{shlex.join(command.words)}` cannot fail"
    if words in (("exit", "0"), ("exit",)):
        return "it ends with `exit 0`"
    if piped and words[0] in _FILTERS:
        return f"its outcome is that of `{words[0]}`, which cannot fail"
    if zero := next((word for word in words if word in _ZERO_FLAGS), None):
        return f"`{zero}` hides every failure"
    inline = words[:2] in (("node", "-e"), ("node", "--eval"))
    return "it only prints" if inline and _INLINE_JS.fullmatch(" ".join(words[2:])) else None


def watches(line: str) -> bool:
    """Whether `line` waits for changes, or for a person, instead of ending."""
    commands = split(line) or [Simple("", tuple(line.split()))]
    return any(_waits(bare(command.words)) for command in commands)


def _waits(words: tuple[str, ...]) -> bool:
    names = {word.rpartition("/")[2] for word in words if not word.startswith("-")}
    if names & _WATCHERS or _INTERACTIVE & set(words):
        return True
    if "-w" in words and names & _WATCH_SHORT:
        return True
    for index, word in enumerate(words):
        if word in _WATCHING and words[index + 1 : index + 2] != ("false",):
            return True
        if word == "watch" and index and words[index - 1].rpartition("/")[2] in _WATCH_SHORT:
            return True
    return words[:2] == ("cypress", "open")
