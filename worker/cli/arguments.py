"""What commands are built from: groups, options that follow a model, and the run of a service."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_snake

from worker.cli.auditing import Audit, audited
from worker.cli.parsers import Commands
from worker.cli.services import Services, opened
from worker.errors import InvalidInput
from worker.jobs.payload_base import field_errors
from worker.jobs.views import wire

Model = TypeVar("Model", bound=BaseModel)
View = TypeVar("View", bound=BaseModel)


def command(
    commands: Commands,
    name: str,
    help_text: str,
    work: Callable[[Services, argparse.Namespace], Awaitable[View]],
    show: Callable[[View], str],
    code: Callable[[View], int] = lambda _: 0,
    audit: Audit = None,
) -> argparse.ArgumentParser:
    """Add a command that asks the services for something and shows the answer.

    With `--json` it prints what the HTTP API would answer, else what `show` makes of it; `code`
    makes the exit code of it. `audit` is what the audit log calls it, if it changes something.
    """
    parser = commands.add_parser(name, help=help_text, description=help_text)
    parser.add_argument("--json", action="store_true", help="print what the HTTP API answers")
    parser.set_defaults(run=partial(_run, work, show, code), audit=audit)
    return parser


def add_fields(parser: argparse.ArgumentParser, model: type[BaseModel], *without: str) -> None:
    """An option for each field of a model but those named: `project_id` becomes `--project-id`."""
    for name, field in model.model_fields.items():
        if name not in without:
            option = f"--{name.replace('_', '-')}"
            parser.add_argument(option, help=field.description,
                                metavar=name.rpartition("_")[2].upper())  # fmt: skip


def from_options(model: type[Model], options: argparse.Namespace, **more: Any) -> Model:
    """The model from the options that were given. Raises InvalidInput naming each wrong one."""
    given = {n: v for n, v in vars(options).items() if n in model.model_fields and v is not None}
    try:
        return model.model_validate(given | more, strict=False)
    except ValidationError as error:
        raise InvalidInput("The command is not valid.", _as_options(error)) from None


def job_id(options: argparse.Namespace, name: str = "id") -> UUID:
    """The id that was given under a name. Raises InvalidInput for what cannot be one."""
    try:
        return UUID(getattr(options, name))
    except ValueError:
        raise InvalidInput("The command is not valid.", {name: "must be a UUID"}) from None


def _as_options(error: ValidationError) -> dict[str, str]:
    found = field_errors(error)
    return {to_snake(name).replace("_", "-"): text for name, text in found.items()}


def _run(
    work: Callable[[Services, argparse.Namespace], Awaitable[View]],
    show: Callable[[View], str],
    code: Callable[[View], int],
    options: argparse.Namespace,
) -> int:
    answer = asyncio.run(_answer(work, options))
    sys.stdout.write(f"{wire(answer).decode() if options.json else show(answer)}\n")
    sys.stdout.flush()
    return code(answer)


async def _answer(
    work: Callable[[Services, argparse.Namespace], Awaitable[View]], options: argparse.Namespace
) -> View:
    async with opened() as services:
        return await audited(services.auditing, options, lambda: work(services, options))
