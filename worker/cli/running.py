"""`switchyard migrate`, `demo` and `up`: what sets Switchyard up and runs it."""

import argparse
import asyncio
import signal
import tempfile
from pathlib import Path
from types import FrameType

from worker.cli.parsers import Commands
from worker.database.migrations import migrate
from worker.demo import story, tenants
from worker.demo.push import REPOSITORY
from worker.errors import SwitchyardError
from worker.settings import load_settings
from worker.stack import Stack


def add_commands(commands: Commands) -> None:
    """The commands that need no running Switchyard."""
    for name, run, help_text in (
        ("migrate", _migrate, "bring the database schema up to date"),
        ("demo", _demo, "push to a sample repository and watch it become artifacts"),
        ("demo-tenants", _demo_tenants, "use up a limit and watch what follows from it"),
        ("up", _up, "run the whole stack on throw-away servers until Ctrl-C"),
    ):
        commands.add_parser(name, help=help_text, description=help_text).set_defaults(run=run)


def _demo(_: argparse.Namespace) -> int:
    return story.run()


def _demo_tenants(_: argparse.Namespace) -> int:
    return tenants.run()


def _migrate(_: argparse.Namespace) -> int:
    applied = asyncio.run(migrate(load_settings().migration_url))
    print(f"applied {', '.join(map(str, applied))}" if applied else "up to date")
    return 0


def _up(_: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="switchyard-up-") as directory,
            Stack(Path(directory), None, GIT_PROTOCOLS="https,file") as stack,
        ):
            print(_introduction(stack), flush=True)
            raise SwitchyardError(f"a process ended with code {stack.wait()}")
    except KeyboardInterrupt:
        return 0


def _introduction(stack: Stack) -> str:
    return f"""
web service  {stack.url}
worker       {stack.worker_url}
Postgres     {stack.servers.database_url}
Redis        {stack.servers.redis_url}
secret       {stack.secret}
emails       {stack.outbox}

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
