"""`switchyard audit`: whether everything that was accepted is accounted for."""

from argparse import Namespace

from worker.cli.arguments import add_fields, command, from_options
from worker.cli.output import Columns, table, text
from worker.cli.parsers import Commands
from worker.cli.services import Services
from worker.jobs.offences import REMEDIES, AuditQuery, Census

NOT_CLEAN = 1

OFFENDERS: Columns = {
    "offence": lambda offender: offender.kind,
    "id": lambda offender: offender.id,
    "queue": lambda offender: offender.queue,
    "since": lambda offender: offender.since,
    "what": lambda offender: offender.message,
}


def add_commands(commands: Commands) -> None:
    """One command; its exit code is 1 when something is not accounted for."""
    help_text = "look for deliveries and jobs that are not accounted for"
    audit = command(commands, "audit", help_text, _audit, _told, _code)
    add_fields(audit, AuditQuery)


async def _audit(services: Services, options: Namespace) -> Census:
    limit = from_options(AuditQuery, options).limit
    return await services.steering.conservation.census(limit)


def _code(census: Census) -> int:
    return 0 if census.clean else NOT_CLEAN


def _told(census: Census) -> str:
    looked = f"looked at {census.deliveries} open deliveries, {census.jobs} jobs that are due or"
    looked += f" run, and {census.ids} ids in Redis"
    parts = [text(f"{looked}: {'all is accounted for' if census.clean else 'NOT CLEAN'}")]
    if census.problem:
        parts.append(text(census.problem))
    if census.offenders:
        parts += [table(census.offenders, OFFENDERS)]
        parts += [f"{n} {kind}: {REMEDIES[kind]}" for kind, n in census.counts.items()]
    return "\n\n".join(parts)
