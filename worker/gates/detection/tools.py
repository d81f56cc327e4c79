"""Known programs: how each is asked for a report that machines can read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from worker.gates.detection.shell import bare
from worker.gates.model import Command, ReportFile, ReportFormat

REPORTS = ".switchyard-reports"
"""The folder in the tree's root where reports go that we asked for."""


@dataclass(frozen=True)
class Tool:
    """A program; `{}` in a flag stands for the report's path as the program sees it.

    `unless`: with any of these among its words it is left as it is. `stdout`: it writes the
    report to its standard output. `after`: where flags must follow that word instead of ending
    the line.
    """

    name: str
    flags: tuple[str, ...] = ()
    format: ReportFormat | None = None
    unless: tuple[str, ...] = ()
    stdout: bool = False
    after: str | None = None


_ESLINT = ("-f", "--format", "-o", "--output-file")
_JEST = ("--ci", "--json", "--outputFile={}")
_VITEST = ("--reporter=default", "--reporter=json", "--outputFile.json={}")
_OUTPUT_FORMAT = ("--output-format", "--message-format")
TOOLS = {
    tool.name: tool
    for tool in (
        Tool("pytest", ("--junitxml={}", "-o", "junit_family=xunit1"), "junit", ("--junitxml",)),
        Tool("jest", _JEST, "jest-json", ("--json", "--outputFile")),
        Tool("vitest", _VITEST, "jest-json", ("--outputFile",)),
        Tool(
            "ruff check",
            ("--output-format=json", "--output-file={}"),
            "ruff-json",
            ("--output-format", "--output-file", "-o", "--diff", "--statistics", "--show-files"),
        ),
        Tool("eslint", ("-f", "json", "-o", "{}"), "eslint-json", _ESLINT),
        Tool("next lint", ("--format", "json", "--output-file", "{}"), "eslint-json", _ESLINT),
        Tool("mypy", ("--no-pretty", "--show-column-numbers"), None, ("-O", "--output")),
        Tool("tsc", ("--pretty", "false"), None, ("--pretty",)),
        Tool("vue-tsc", ("--pretty", "false"), None, ("--pretty",)),
        Tool("ty check", ("--output-format=concise",), None, _OUTPUT_FORMAT),
        Tool("go test", ("-json",), "go-json", ("-json",), stdout=True, after="test"),
        Tool(
            "cargo check", ("--message-format=json",), "cargo-json", _OUTPUT_FORMAT, True, "check"
        ),
        Tool(
            "cargo clippy", ("--message-format=json",), "cargo-json", _OUTPUT_FORMAT, True, "clippy"
        ),
        Tool("cargo test"),
        Tool("mocha"),
        Tool("node --test"),
        Tool("python -m unittest"),
        Tool("pyright"),
        Tool("basedpyright"),
        Tool("flake8"),
        Tool("pylint"),
        Tool("golangci-lint"),
        Tool("go vet"),
        Tool("go build"),
    )
}

_CARRIERS = (
    ("npx", "--no-install"), ("npx", "--no"), ("npx",), ("pnpm", "exec"), ("pnpm", "dlx"),
    ("yarn", "exec"), ("yarn", "run"), ("bunx",), ("bun", "x"), ("uv", "run"), ("poetry", "run"),
    ("pipenv", "run"), ("pdm", "run"), ("hatch", "run"), ("rye", "run"), ("cross-env",),
    ("dotenv", "--"), ("exec",), ("time",), ("coverage", "run", "-m"), ("yarn",),
)  # fmt: skip
_UV_FLAGS = frozenset({"--frozen", "--no-sync", "--locked", "--offline", "--all-extras"})


def recognise(words: Sequence[str]) -> Tool | None:
    """The known program that a simple command comes to, through whatever starts it."""
    words = _carried(bare(words))
    if not words:
        return None
    names = (" ".join(words[:3]), " ".join(words[:2]), words[0])
    return next((TOOLS[name] for name in names if name in TOOLS), None)


def _carried(words: tuple[str, ...]) -> tuple[str, ...]:
    """`words` without what merely starts the program, and with the program's plain name."""
    while carrier := next((c for c in _CARRIERS if words[: len(c)] == c), None):
        words = bare(words[len(carrier) :])
        while words and words[0] in _UV_FLAGS:
            words = words[1:]
    if not words:
        return ()
    program = words[0].rpartition("/")[2]
    if program == "node":
        return _script_of_node(words)
    if program.startswith("python") and words[1:2] == ("-m",):
        return words[2:] if words[2:3] != ("unittest",) else ("python", *words[1:])
    if program == "react-scripts" and words[1:2] == ("test",):
        return ("jest", *words[2:])
    return (program, *words[1:])


def _script_of_node(words: tuple[str, ...]) -> tuple[str, ...]:
    if "--test" in words:
        return ("node", "--test")
    script = next((word for word in words[1:] if not word.startswith("-")), "")
    return (script.rpartition("/")[2].removesuffix(".js").removesuffix(".mjs"),)


def asked(
    command: Command,
    words: Sequence[str],
    separator: tuple[str, ...] = (),
    place: str | None = None,
) -> Command:
    """`command` asked for a report, where `words`, with which it ends, are a known program's.

    `separator` stands between the command and words handed on to a script ("--" for npm), and
    `place` is the folder where the program itself runs, if not the command's.
    """
    tool = recognise(words)
    if tool is None:
        return command
    command = replace(command, tool=tool.name)
    if command.reports or _settled(tool, words):
        return command
    path = f"{REPORTS}/{tool.name.replace(' ', '-')}"
    seen = seen_from(command.directory if place is None else place, path)
    flags = (*_endings(tool, words), *(flag.replace("{}", seen) for flag in tool.flags))
    if tool.after and tool.after not in command.argv:
        return command
    reports = (ReportFile(path, tool.format),) if tool.format else ()
    argv = _with(command.argv, flags, separator, tool.after)
    return replace(command, argv=argv, reports=reports, stdout=path if tool.stdout else None)


def _settled(tool: Tool, words: Sequence[str]) -> bool:
    return any(
        word == name or word.startswith(f"{name}=") for word in words for name in tool.unless
    )


def _endings(tool: Tool, words: Sequence[str]) -> tuple[str, ...]:
    """What makes a program end that would otherwise wait for changes."""
    runs = tool.name != "vitest" or "run" in words or "--run" in words
    return () if runs else ("--run",)


def _with(
    argv: tuple[str, ...], flags: tuple[str, ...], separator: tuple[str, ...], after: str | None
) -> tuple[str, ...]:
    if not flags:
        return argv
    if after is None:
        return (*argv, *separator, *flags)
    index = argv.index(after) + 1
    return (*argv[:index], *flags, *argv[index:])


def seen_from(directory: str, path: str) -> str:
    """`path` of the tree as a program running in `directory` has to name it."""
    return "../" * len([part for part in directory.split("/") if part]) + path
