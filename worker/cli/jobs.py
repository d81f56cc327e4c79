"""`switchyard jobs`: what there is to do, and what becomes of it."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import orjson

from worker.cli.arguments import add_fields, command, from_options, job_id
from worker.cli.output import Columns, details, page, table, text
from worker.cli.parsers import Commands, group
from worker.cli.services import Services
from worker.errors import InvalidInput
from worker.jobs.enqueueing import Enqueued, WantedJob
from worker.jobs.reading import JobQuery
from worker.jobs.requests import Cancellation
from worker.jobs.views import CancelledJob, Job, JobWithAttempts, Page
from worker.jobs.waiting import Why

COLUMNS: Columns = {
    "id": lambda job: job.id,
    "queue": lambda job: job.queue,
    "kind": lambda job: job.kind,
    "state": lambda job: job.state,
    "attempt": lambda job: f"{job.attempt}/{job.max_attempts}",
    "due": lambda job: job.run_at,
    "progress": lambda job: f"{job.progress} % {job.progress_message or ''}",
    "error": lambda job: job.error,
}
ATTEMPTS: Columns = {
    "attempt": lambda attempt: attempt.attempt,
    "outcome": lambda attempt: attempt.outcome,
    "finished": lambda attempt: attempt.finished_at,
    "worker": lambda attempt: attempt.worker,
    "type": lambda attempt: attempt.error_type,
    "message": lambda attempt: attempt.message,
}


def add_commands(commands: Commands) -> None:
    """All that is done to single jobs."""
    jobs = group(commands, "jobs", "look at jobs, add, cancel and retry them")
    add_fields(command(jobs, "list", "jobs, newest first", _list, page(COLUMNS)), JobQuery)
    show = command(jobs, "show", "a job with its attempts", _show, with_attempts)
    why = command(jobs, "why", "what a job waits for", _why, _because)
    cancel = command(jobs, "cancel", "end a job, or never begin it", _cancel, _cancelled,
                     audit="job.cancelled")  # fmt: skip
    cancel.add_argument("--reason", default=Cancellation().reason, help="shown with the job")
    retry = command(jobs, "retry", "have a dead job wait again", _retry, details,
                    audit="job.retried")  # fmt: skip
    for parser in (show, why, cancel, retry):
        parser.add_argument("id", help="the job's id")
    enqueue = command(jobs, "enqueue", "add a job by hand", _enqueue, details, audit="job.enqueued")
    enqueue.add_argument("queue", help="its queue")
    enqueue.add_argument("data", help="its payload: a JSON object, @file, or - for standard input")
    add_fields(enqueue, WantedJob, "queue", "data")


def with_attempts(job: JobWithAttempts) -> str:
    """All that is known of a job, and how its attempts ended."""
    attempts = f"\n\n{table(job.attempts, ATTEMPTS)}" if job.attempts else ""
    traces = [f"\n\nattempt {a.attempt}:\n{text(a.traceback)}" for a in job.attempts if a.traceback]
    return details(job, "attempts") + attempts + "".join(traces)


async def _list(services: Services, options: Namespace) -> Page[Job]:
    return await services.steering.jobs.page(from_options(JobQuery, options))


async def _show(services: Services, options: Namespace) -> JobWithAttempts:
    return await services.steering.jobs.get(job_id(options))


async def _why(services: Services, options: Namespace) -> Why:
    return await services.steering.waiting.why(job_id(options))


def _because(why: Why) -> str:
    width = max(len(reason.code) for reason in why.reasons)
    return "\n".join(f"{r.code.ljust(width)}  {text(r.message)}" for r in why.reasons)


async def _cancel(services: Services, options: Namespace) -> CancelledJob:
    reason = from_options(Cancellation, options).reason
    return await services.steering.cancel(job_id(options), reason)


def _cancelled(job: CancelledJob) -> str:
    if job.cancel_requested:
        return f"job {job.id} runs, and its worker was asked to end it"
    return f"job {job.id} is cancelled"


async def _retry(services: Services, options: Namespace) -> JobWithAttempts:
    return await services.steering.retry(job_id(options))


async def _enqueue(services: Services, options: Namespace) -> Enqueued:
    wanted = from_options(WantedJob, options, data=payload(options.data))
    return await services.steering.enqueueing.add(wanted)


def payload(given: str) -> Any:
    """A payload from an argument: JSON, @file, or - for standard input. Raises InvalidInput."""
    try:
        return orjson.loads(_text(given))
    except (orjson.JSONDecodeError, UnicodeError) as error:
        raise InvalidInput("The payload is not JSON.", {"data": f"is not JSON: {error}"}) from None
    except OSError as error:
        problem = f"{given.removeprefix('@')} cannot be read: {error.strerror}"
        raise InvalidInput("The payload cannot be read.", {"data": problem}) from None


def _text(given: str) -> str | bytes:
    if given == "-":
        return sys.stdin.read()
    return Path(given[1:]).read_bytes() if given.startswith("@") else given
