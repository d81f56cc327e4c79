"""`switchyard queues` and `switchyard workers`: what waits, what holds, and who works on it."""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from functools import partial
from typing import Any

from worker.cli.arguments import add_fields, command, from_options
from worker.cli.output import Columns, details, page, table
from worker.cli.parsers import Commands, group
from worker.cli.services import Services
from worker.jobs.overview import ByName, Limits, QueueStatus, WorkerStatus
from worker.jobs.requests import Pause, Resize
from worker.jobs.states import WAITING, State
from worker.jobs.views import Page

DEFAULT = "default"
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_RATE = re.compile(r"(\d{1,9})/(\d{1,9}(?:\.\d{1,9})?)", re.ASCII)

QUEUES: Columns = {
    "queue": lambda queue: queue.name,
    "paused": lambda queue: queue.paused_at and (queue.paused_reason or queue.paused_at),
    "waiting": lambda queue: sum(queue.counts[state] for state in WAITING),
    "running": lambda queue: queue.counts[State.RUNNING],
    "dead": lambda queue: queue.counts[State.DEAD],
    "oldest due": lambda queue: _seconds(queue.oldest_due_seconds),
    "limits": lambda queue: _limits(queue.effective),
    "workers": lambda queue: len(queue.workers),
}
WORKERS: Columns = {
    "worker": lambda worker: worker.id,
    "alive": lambda worker: "yes" if worker.alive else "no",
    "last seen": lambda worker: worker.last_seen,
    "running": lambda worker: worker.running,
    "queues": lambda worker: ", ".join(worker.queues),
}
JOBS: Columns = {
    "worker": lambda pair: pair[0].id,
    "job": lambda pair: pair[1].id,
    "kind": lambda pair: pair[1].kind,
    "attempt": lambda pair: pair[1].attempt,
    "since": lambda pair: pair[1].started_at,
    "progress": lambda pair: f"{pair[1].progress} % {pair[1].progress_message or ''}",
}


def add_commands(commands: Commands) -> None:
    """Looking at queues and workers, and pausing, resuming and resizing queues."""
    queues = group(commands, "queues", "look at queues, pause, resume and resize them")
    add_fields(command(queues, "list", "queues and what waits", _list, page(QUEUES)), ByName)
    show = command(queues, "show", "one queue", _show, _shown)
    pause = command(queues, "pause", "start nothing more of a queue", _pause, _shown,
                    audit="queue.paused")  # fmt: skip
    pause.add_argument("--reason", help="shown with the queue")
    resume = command(queues, "resume", "let a queue go on", _resume, _shown, audit="queue.resumed")
    resize = command(queues, "resize", "change a queue's limits", _resize, _shown,
                     audit="queue.resized")  # fmt: skip
    for parser in (show, pause, resume, resize):
        parser.add_argument("name", help="the queue's name")
    _add_limits(resize)
    add_fields(command(commands, "workers", "workers and their jobs", _workers, _busy), ByName)


def _add_limits(parser: ArgumentParser) -> None:
    for option, meaning in (
        ("--concurrency", "jobs at once in each worker process"),
        ("--per-key", "jobs at once of one key, such as a project"),
        ("--per-organisation", "jobs at once of one organisation"),
    ):
        help_text = f"{meaning}; `{DEFAULT}`: as the policy says"
        parser.add_argument(option, type=_number, metavar="N", help=help_text, default=...)
    rate_help = f"starts in any so many seconds; `{DEFAULT}`: as the policy says"
    parser.add_argument("--rate", type=_rate, metavar="COUNT/SECONDS", help=rate_help, default=...)


async def _list(services: Services, options: Namespace) -> Page[QueueStatus]:
    return await services.steering.overview.queues(from_options(ByName, options))


async def _show(services: Services, options: Namespace) -> QueueStatus:
    return await services.steering.overview.queue(options.name)


async def _pause(services: Services, options: Namespace) -> QueueStatus:
    return await services.steering.pause(options.name, from_options(Pause, options))


async def _resume(services: Services, options: Namespace) -> QueueStatus:
    return await services.steering.resume(options.name)


async def _resize(services: Services, options: Namespace) -> QueueStatus:
    names = Resize.model_fields
    given = {n: v for n, v in vars(options).items() if n in names and v is not ...}
    return await services.steering.resize(options.name, from_options(Resize, Namespace(), **given))


async def _workers(services: Services, options: Namespace) -> Page[WorkerStatus]:
    return await services.steering.overview.workers(from_options(ByName, options))


def _number(text: str) -> int | None:
    if text != DEFAULT and not _NUMBER.fullmatch(text):
        raise ArgumentTypeError(f"must be a whole number, or `{DEFAULT}`")
    return None if text == DEFAULT else int(text)


def _rate(text: str) -> dict[str, Any] | None:
    match = _RATE.fullmatch(text)
    if text != DEFAULT and match is None:
        raise ArgumentTypeError(f"must be like 100/60, or `{DEFAULT}`")
    return match and {"count": int(match[1]), "seconds": float(match[2])}


def _shown(queue: QueueStatus) -> str:
    limits = {"policy": queue.policy, "by hand": queue.override, "in force": queue.effective}
    rows = [(name, _limits(value)) for name, value in limits.items()]
    return "\n\n".join(
        (
            details(queue, "policy", "override", "effective", "counts"),
            table(rows, {"limits": lambda row: row[0], "": lambda row: row[1]}),
            table([queue], {state.value: partial(_count, state) for state in State}),
        )
    )


def _busy(answer: Page[WorkerStatus]) -> str:
    pairs = [(worker, job) for worker in answer.items for job in worker.jobs]
    return page(WORKERS)(answer) + (f"\n\n{table(pairs, JOBS)}" if pairs else "")


def _limits(limits: Limits) -> str:
    rate = limits.rate
    named = {
        "at once": limits.concurrency,
        "per key": limits.per_key,
        "per organisation": limits.per_organisation,
        f"in {rate.seconds:g} s" if rate else "": rate and rate.count,
    }
    return ", ".join(f"{n} {name}" for name, n in named.items() if n is not None) or "-"


def _count(state: State, queue: QueueStatus) -> int:
    return queue.counts[state]


def _seconds(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.0f} s"
