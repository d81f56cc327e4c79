"""`switchyard endpoints`: the secrets of outgoing webhooks, after a change of their key."""

from argparse import Namespace

from worker.cli.arguments import command
from worker.cli.output import text
from worker.cli.parsers import Commands, group
from worker.cli.services import Services
from worker.outgoing.resealing import Resealed


def add_commands(commands: Commands) -> None:
    """What can only be done where the keys are."""
    endpoints = group(commands, "endpoints", "where outgoing webhooks go")
    command(endpoints, "reseal", "seal all secrets with the first key", _reseal, _resealed,
            lambda done: int(bool(done.unopenable)), audit="endpoints.resealed")  # fmt: skip


async def _reseal(services: Services, _: Namespace) -> Resealed:
    return await services.resealing.run()


def _resealed(done: Resealed) -> str:
    lines = [f"sealed anew with key {done.key_id}: {done.resealed}"]
    return "\n".join([*lines, *(text(problem) for problem in done.unopenable)])
