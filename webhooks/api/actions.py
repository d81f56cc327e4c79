"""Automatic actions: what was done on an organisation's behalf, and taking it back."""

from uuid import UUID

from aiohttp import web

from webhooks.api.requests import answer, path_uuid, query_as
from webhooks.api.routes import Route
from webhooks.auth import authorise, caller
from webhooks.resources import RESOURCES
from worker.jobs.views import Page
from worker.tenants.actions import AutomaticActions
from worker.tenants.actions.model import Action, ActionsQuery, RevertedAction


async def page(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/actions?action&active`, newest first."""
    wanted = query_as(request, ActionsQuery)
    return answer(await _actions(request).page(_organisation(request), wanted))


async def get(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/actions/{actionId}`."""
    return answer(await _actions(request).get(_organisation(request), _action(request)))


async def revert(request: web.Request) -> web.Response:
    """`POST /api/orgs/{id}/actions/{actionId}/revert`: the action; a second time changes nothing.

    `heldBy` is another action that has taken its place: the target stays as it is.
    """
    org_id, action_id, by = _organisation(request), _action(request), caller(request).kind
    reverted = await _actions(request).revert(org_id, action_id, by)
    request.app[RESOURCES].ringer.ring(reverted.rings)
    return answer(RevertedAction.of(reverted))


def _actions(request: web.Request) -> AutomaticActions:
    return AutomaticActions(request.app[RESOURCES].pool)


def _organisation(request: web.Request) -> str:
    org_id = request.match_info["id"]
    authorise(request, org_id)
    return org_id


def _action(request: web.Request) -> UUID:
    return path_uuid(request, "actionId")


_ACTIONS = "/api/orgs/{id}/actions"
ROUTES = (
    Route("GET", _ACTIONS, page, "What was done on an organisation's behalf", Page[Action],
          query=ActionsQuery, open_to_keys=True),
    Route("GET", f"{_ACTIONS}/{{actionId}}", get, "An automatic action", Action,
          open_to_keys=True),
    Route("POST", f"{_ACTIONS}/{{actionId}}/revert", revert, "Undo an automatic action",
          RevertedAction, errors={409: "it is not by this action that its target is as it is"},
          audit="automatic_action.reverted"),
)  # fmt: skip
