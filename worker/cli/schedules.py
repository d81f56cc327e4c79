"""`switchyard schedules`: jobs at set times."""

from argparse import Namespace
from typing import Any

from worker.cli.arguments import add_fields, command, from_options
from worker.cli.jobs import payload
from worker.cli.output import Columns, details, page, table
from worker.cli.parsers import Commands, group
from worker.cli.services import Services
from worker.jobs.enqueueing import Enqueued
from worker.jobs.overview import ByName
from worker.jobs.schedules import NewSchedule, Schedule, ScheduleChange, ScheduleWithTicks
from worker.jobs.views import Page

COLUMNS: Columns = {
    "name": lambda schedule: schedule.name,
    "enabled": lambda schedule: "yes" if schedule.enabled else "no",
    "built in": lambda schedule: "yes" if schedule.built_in else "no",
    "kind": lambda schedule: schedule.kind,
    "cron": lambda schedule: schedule.cron,
    "zone": lambda schedule: schedule.timezone,
    "missed": lambda schedule: schedule.missed,
    "last tick": lambda schedule: schedule.last_tick,
    "next tick": lambda schedule: schedule.next_tick,
}
TICKS: Columns = {
    "tick": lambda tick: tick.tick,
    "by hand": lambda tick: "yes" if tick.by_hand else "no",
    "fired": lambda tick: tick.fired_at,
    "job": lambda tick: tick.job_id,
    "state": lambda tick: tick.state,
}
_PAYLOAD = "a JSON object, @file, or - for standard input"


def add_commands(commands: Commands) -> None:
    """Looking at schedules, making and changing them, and running one by hand."""
    schedules = group(commands, "schedules", "jobs at set times")
    add_fields(command(schedules, "list", "schedules, by name", _list, page(COLUMNS)), ByName)
    named = (
        command(schedules, "show", "a schedule with its latest ticks", _show, _with_ticks),
        command(schedules, "enable", "let a schedule fire", _enable, _with_ticks,
                audit="schedule.changed"),
        command(schedules, "disable", "let a schedule rest", _disable, _with_ticks,
                audit="schedule.changed"),
        command(schedules, "run", "run a schedule's job now", _run, details, audit="schedule.run"),
        command(schedules, "delete", "delete a schedule; its jobs stay", _delete, _deleted,
                audit="schedule.deleted"),
        change := command(schedules, "change", "change a schedule", _change, _with_ticks,
                          audit="schedule.changed"),
        create := command(schedules, "create", "make a schedule", _create, _with_ticks,
                          audit="schedule.created"),
    )  # fmt: skip
    for parser in named:
        parser.add_argument("name", help="the schedule's name")
    create.add_argument("queue", help="the queue of its jobs")
    create.add_argument("cron", help=NewSchedule.model_fields["cron"].description)
    create.add_argument("--disabled", action="store_true", help="let it rest at first")
    add_fields(create, NewSchedule, "name", "queue", "cron", "payload", "enabled")
    add_fields(change, ScheduleChange, "payload", "enabled")
    for parser in (create, change):
        parser.add_argument("--payload", help=_PAYLOAD)


async def _list(services: Services, options: Namespace) -> Page[Schedule]:
    return await services.steering.schedules.page(from_options(ByName, options))


async def _show(services: Services, options: Namespace) -> ScheduleWithTicks:
    return await services.steering.schedules.get(options.name)


async def _create(services: Services, options: Namespace) -> ScheduleWithTicks:
    more = _payload(options) | {"enabled": not options.disabled}
    return await services.steering.schedules.create(from_options(NewSchedule, options, **more))


async def _change(services: Services, options: Namespace) -> ScheduleWithTicks:
    wanted = from_options(ScheduleChange, options, **_payload(options))
    return await services.steering.schedules.change(options.name, wanted)


async def _enable(services: Services, options: Namespace) -> ScheduleWithTicks:
    return await services.steering.schedules.change(options.name, ScheduleChange(enabled=True))


async def _disable(services: Services, options: Namespace) -> ScheduleWithTicks:
    return await services.steering.schedules.change(options.name, ScheduleChange(enabled=False))


async def _delete(services: Services, options: Namespace) -> ScheduleWithTicks:
    return await services.steering.schedules.delete(options.name)


async def _run(services: Services, options: Namespace) -> Enqueued:
    return await services.steering.schedules.run_now(options.name)


def _payload(options: Namespace) -> dict[str, Any]:
    return {} if options.payload is None else {"payload": payload(options.payload)}


def _with_ticks(schedule: ScheduleWithTicks) -> str:
    return f"{details(schedule, 'ticks')}\n\n{table(schedule.ticks, TICKS, 'no ticks yet')}"


def _deleted(schedule: ScheduleWithTicks) -> str:
    return f"schedule {schedule.name} is deleted"
