"""`switchyard dead-letters`: jobs that failed for good."""

from argparse import Namespace
from functools import partial

from worker.cli.arguments import add_fields, command, from_options, job_id
from worker.cli.jobs import with_attempts
from worker.cli.output import Columns, details, page
from worker.cli.parsers import Commands, group
from worker.cli.services import Services
from worker.errors import InvalidInput
from worker.jobs.dead_letters import (
    DeadLetterFilter,
    DeadLetterQuery,
    Discarded,
    ManyDeadLetters,
    Retried,
    RetryMany,
)
from worker.jobs.views import DeadLetter, JobWithAttempts, Page

COLUMNS: Columns = {
    "id": lambda job: job.id,
    "queue": lambda job: job.queue,
    "kind": lambda job: job.kind,
    "died": lambda job: job.finished_at,
    "attempts": lambda job: job.attempt,
    "type": lambda job: job.last_attempt and job.last_attempt.error_type,
    "error": lambda job: job.error,
}
_ONE_OR_MANY = "one job; without it those that fit the options"


def add_commands(commands: Commands) -> None:
    """Looking at dead letters, retrying and discarding one or many of them."""
    letters = group(commands, "dead-letters", "look at jobs that failed for good, and decide")
    add_fields(
        command(letters, "list", "dead letters, the latest first", _list, page(COLUMNS)),
        DeadLetterQuery,
    )
    show = command(letters, "show", "one, with what went wrong", _show, with_attempts)
    show.add_argument("id", help="the job's id")
    retry = command(letters, "retry", "have one or many wait again", _retry, _retried,
                    audit=partial(_action, "retried"))  # fmt: skip
    discard = command(letters, "discard", "delete one or many", _discard, details,
                      audit=partial(_action, "discarded"))  # fmt: skip
    for parser in (retry, discard):
        parser.add_argument("id", nargs="?", help=_ONE_OR_MANY)
        parser.add_argument("--all", action="store_true", help="every dead letter")
        add_fields(parser, DeadLetterFilter)
    retry.add_argument("--rate-per-second", metavar="RATE", help="at most so many a second")


def _action(done: str, options: Namespace) -> str:
    return f"{'dead_letters' if options.id is None else 'job'}.{done}"


async def _list(services: Services, options: Namespace) -> Page[DeadLetter]:
    return await services.steering.dead_letters.page(from_options(DeadLetterQuery, options))


async def _show(services: Services, options: Namespace) -> JobWithAttempts:
    return await services.steering.dead_letter(job_id(options))


async def _retry(services: Services, options: Namespace) -> JobWithAttempts | Retried:
    wanted = from_options(RetryMany, options)
    if options.id is None:
        return await services.steering.dead_letters.retry_many(wanted)
    _check_alone(wanted)
    return await services.steering.retry(job_id(options))


def _retried(answer: JobWithAttempts | Retried) -> str:
    return details(answer)


async def _discard(services: Services, options: Namespace) -> Discarded:
    wanted = from_options(ManyDeadLetters, options)
    if options.id is None:
        return await services.steering.dead_letters.discard_many(wanted)
    _check_alone(wanted)
    return await services.steering.dead_letters.discard(job_id(options))


def _check_alone(wanted: ManyDeadLetters) -> None:
    if wanted.model_fields_set - {"all"} or wanted.all:
        raise InvalidInput("Give an id or a filter.", {"id": "cannot be given with a filter"})
