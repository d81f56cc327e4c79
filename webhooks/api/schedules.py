"""Schedules: looking at them, making, changing and deleting them, and running one by hand."""

from aiohttp import web

from webhooks.api.requests import answer, body_as, query_as
from webhooks.api.routes import Route
from webhooks.resources import RESOURCES
from worker.jobs.enqueueing import Enqueued
from worker.jobs.overview import ByName
from worker.jobs.schedules import (
    NewSchedule,
    Schedule,
    ScheduleChange,
    Schedules,
    ScheduleWithTicks,
)
from worker.jobs.views import Page


async def page(request: web.Request) -> web.Response:
    """`GET /api/schedules`, by name."""
    return answer(await _schedules(request).page(query_as(request, ByName)))


async def create(request: web.Request) -> web.Response:
    """`POST /api/schedules`: 201 with the schedule."""
    wanted = await body_as(request, NewSchedule)
    return answer(await _schedules(request).create(wanted), status=201)


async def get(request: web.Request) -> web.Response:
    """`GET /api/schedules/{name}`, with its latest ticks and what became of their jobs."""
    return answer(await _schedules(request).get(_name(request)))


async def change(request: web.Request) -> web.Response:
    """`PATCH /api/schedules/{name}`: changes what is given."""
    wanted = await body_as(request, ScheduleChange)
    return answer(await _schedules(request).change(_name(request), wanted))


async def delete(request: web.Request) -> web.Response:
    """`DELETE /api/schedules/{name}`: the schedule as it was; its jobs stay."""
    return answer(await _schedules(request).delete(_name(request)))


async def run(request: web.Request) -> web.Response:
    """`POST /api/schedules/{name}/run`: its job, at once, whether it is enabled or not."""
    return answer(await _schedules(request).run_now(_name(request)))


def _schedules(request: web.Request) -> Schedules:
    return request.app[RESOURCES].steering.schedules


def _name(request: web.Request) -> str:
    return request.match_info["name"]


_BUILT_IN = {409: "it is built in"}
ROUTES = (
    Route("GET", "/api/schedules", page, "Schedules", Page[Schedule], query=ByName),
    Route("POST", "/api/schedules", create, "Make a schedule", ScheduleWithTicks,
          body=NewSchedule, status=201, audit="schedule.created",
          errors={409: "the name is taken"}),
    Route("GET", "/api/schedules/{name}", get, "A schedule with its latest ticks",
          ScheduleWithTicks),
    Route("PATCH", "/api/schedules/{name}", change, "Enable, disable or change a schedule",
          ScheduleWithTicks, body=ScheduleChange, audit="schedule.changed", errors=_BUILT_IN),
    Route("DELETE", "/api/schedules/{name}", delete, "Delete a schedule", ScheduleWithTicks,
          audit="schedule.deleted", errors=_BUILT_IN),
    Route("POST", "/api/schedules/{name}/run", run, "Run a schedule's job now", Enqueued,
          audit="schedule.run", errors={409: "this version does not know its kind"}),
)  # fmt: skip
