"""Organisations: adding them, reading them, and changing what is known of them."""

from aiohttp import web

from webhooks.api.requests import answer, body_as, query_as
from webhooks.api.routes import Route
from webhooks.resources import RESOURCES
from worker.jobs.overview import ByName
from worker.jobs.views import Page
from worker.tenants.organisations import (
    NewOrganisation,
    Organisation,
    OrganisationChange,
    Organisations,
)


async def add(request: web.Request) -> web.Response:
    """`POST /api/orgs`: 201 with the organisation; 409 when its id is taken."""
    wanted = await body_as(request, NewOrganisation)
    return answer(await _organisations(request).add(wanted), status=201)


async def page(request: web.Request) -> web.Response:
    """`GET /api/orgs`, by id."""
    return answer(await _organisations(request).page(query_as(request, ByName)))


async def get(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}`."""
    return answer(await _organisations(request).get(request.match_info["id"]))


async def change(request: web.Request) -> web.Response:
    """`PATCH /api/orgs/{id}`: changes what is given; null removes the email address."""
    wanted = await body_as(request, OrganisationChange)
    return answer(await _organisations(request).change(request.match_info["id"], wanted))


def _organisations(request: web.Request) -> Organisations:
    return Organisations(request.app[RESOURCES].pool)


ROUTES = (
    Route("POST", "/api/orgs", add, "Add an organisation", Organisation, body=NewOrganisation,
          status=201, errors={409: "its id is taken"}, audit="organisation.created"),
    Route("GET", "/api/orgs", page, "Organisations, by id", Page[Organisation], query=ByName),
    Route("GET", "/api/orgs/{id}", get, "An organisation", Organisation),
    Route("PATCH", "/api/orgs/{id}", change, "Change an organisation", Organisation,
          body=OrganisationChange, audit="organisation.changed"),
)  # fmt: skip
