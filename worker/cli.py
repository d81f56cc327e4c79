"""The `switchyard` command."""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from worker import demo
from worker.database.migrations import migrate
from worker.demo.push import REPOSITORY
from worker.errors import ConfigurationError, SwitchyardError
from worker.settings import load_settings
from worker.stack import Stack

FAILURE, CONFIGURATION = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run())
    except ConfigurationError as error:
        return _complain(error.problems, CONFIGURATION)
    except SwitchyardError as error:
        return _complain([error.message], FAILURE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="switchyard", description="Pushes in, verdicts out.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="command")
    for name, run, help_text in (
        ("migrate", _migrate, "bring the database schema up to date"),
        ("demo", demo.run, "push to a sample repository and watch it become artifacts"),
        ("up", _up, "run the whole stack on throw-away servers until Ctrl-C"),
    ):
        commands.add_parser(name, help=help_text, description=help_text).set_defaults(run=run)
    return parser


def _migrate() -> int:
    applied = asyncio.run(migrate(load_settings().migration_url))
    print(f"applied {', '.join(map(str, applied))}" if applied else "up to date")
    return 0


def _up() -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="switchyard-up-") as directory,
            Stack(Path(directory), None, GIT_PROTOCOLS="https,file") as stack,
        ):
            print(_introduction(stack), flush=True)
            code = stack.wait()
            return _complain([f"a process ended with code {code}"], FAILURE)
    except KeyboardInterrupt:
        return 0


def _introduction(stack: Stack) -> str:
    return f"""
web service  {stack.url}
worker       {stack.worker_url}
Postgres     {stack.servers.database_url}
Redis        {stack.servers.redis_url}
secret       {stack.secret}

Enrol a repository (file:///path/to/repository works too):

  curl -s {stack.url}/api/projects -H 'Content-Type: application/json' \\
    -d '{{"name":"Shop","repository":"{REPOSITORY}","repoUrl":"https://github.com/{REPOSITORY}"}}'

Send a signed push (the commit has to exist in the repository that you enrolled):

  BODY='{{"ref":"refs/heads/main","before":"{"0" * 40}","after":"{"1" * 40}",\
"repository":{{"id":1,"full_name":"{REPOSITORY}"}}}}'
  curl -s {stack.url}/api/webhooks/github -d "$BODY" \\
    -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' \\
    -H "X-GitHub-Delivery: $(cat /proc/sys/kernel/random/uuid)" \\
    -H "X-Hub-Signature-256: sha256=$(printf %s "$BODY" |
        openssl dgst -sha256 -hmac {stack.secret} | sed 's/.* //')"

Ctrl-C stops everything and removes it.
"""


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _complain(problems: Sequence[str], code: int) -> int:
    for problem in problems:
        print(f"switchyard: {problem}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
