"""The `switchyard` command: one module a topic, each thin over the services of the HTTP API."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from worker.errors import ConfigurationError, InvalidInput, SwitchyardError

FAILURE, USAGE, INTERRUPTED = 1, 2, 130
MODULES = (
    "running",
    "scan",
    "conflicts",
    "jobs",
    "dead_letters",
    "queues",
    "schedules",
    "audit",
    "gates",
    "credentials",
    "endpoints",
)
# Their modules hold nothing else. They run on every commit, so that only they are loaded.
QUICK = ("scan", "conflicts")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(words[:1]).parse_args(words)
    try:
        return int(options.run(options))
    except ConfigurationError as error:
        return _complain(error.problems, USAGE)
    except InvalidInput as error:
        return _complain([_in_one_line(error)], USAGE)
    except SwitchyardError as error:
        return _complain([error.message], FAILURE)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough; what is left must not fail at exit once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser(first: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="switchyard", description="Pushes in, verdicts out.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="command")
    for name in [word for word in first if word in QUICK] or MODULES:
        importlib.import_module(f"worker.cli.{name}").add_commands(commands)
    return parser


def _in_one_line(error: InvalidInput) -> str:
    return "; ".join(f"{name}: {text}" for name, text in error.fields.items()) or error.message


def _complain(problems: Sequence[str], code: int) -> int:
    for problem in problems:
        print(f"switchyard: {problem}", file=sys.stderr)
    return code
