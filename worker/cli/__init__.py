"""The `switchyard` command: one module a topic, each thin over the services of the HTTP API."""

import argparse
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from worker.cli import (
    audit,
    conflicts,
    credentials,
    dead_letters,
    gates,
    jobs,
    queues,
    running,
    scan,
    schedules,
)
from worker.errors import ConfigurationError, InvalidInput, SwitchyardError

FAILURE, USAGE, INTERRUPTED = 1, 2, 130
MODULES: tuple[ModuleType, ...] = (
    running,
    scan,
    conflicts,
    jobs,
    dead_letters,
    queues,
    schedules,
    audit,
    gates,
    credentials,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    options = _parser().parse_args(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="switchyard", description="Pushes in, verdicts out.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="command")
    for module in MODULES:
        module.add_commands(commands)
    return parser


def _in_one_line(error: InvalidInput) -> str:
    return "; ".join(f"{name}: {text}" for name, text in error.fields.items()) or error.message


def _complain(problems: Sequence[str], code: int) -> int:
    for problem in problems:
        print(f"switchyard: {problem}", file=sys.stderr)
    return code
