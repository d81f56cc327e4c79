"""Notifications: what an organisation was told, and by which ways it wants to be told."""

from aiohttp import web

from webhooks.api.requests import answer, body_as, path_uuid, query_as
from webhooks.api.routes import Route
from webhooks.auth import authorise
from webhooks.resources import RESOURCES
from worker.jobs.views import Page
from worker.tenants.notifications.model import NotificationQuery, Notified
from worker.tenants.notifications.preferences import NewPreferences, Preferences, PreferenceStore
from worker.tenants.notifications.store import Notifications


async def page(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/notifications`, newest first."""
    wanted = query_as(request, NotificationQuery)
    return answer(await _notifications(request).page(_organisation(request), wanted))


async def get(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/notifications/{notificationId}`."""
    wanted = path_uuid(request, "notificationId")
    return answer(await _notifications(request).get(_organisation(request), wanted))


async def preferences(request: web.Request) -> web.Response:
    """`GET /api/orgs/{id}/notification-preferences`: what holds, defaults included."""
    return answer(await _preferences(request).get(_organisation(request)))


async def replace_preferences(request: web.Request) -> web.Response:
    """`PUT /api/orgs/{id}/notification-preferences`: these choices and no others."""
    wanted = await body_as(request, NewPreferences)
    return answer(await _preferences(request).replace(_organisation(request), wanted))


def _organisation(request: web.Request) -> str:
    org_id = request.match_info["id"]
    authorise(request, org_id)
    return org_id


def _notifications(request: web.Request) -> Notifications:
    return Notifications(request.app[RESOURCES].pool)


def _preferences(request: web.Request) -> PreferenceStore:
    return PreferenceStore(request.app[RESOURCES].pool)


_ORGANISATION = "/api/orgs/{id}"
ROUTES = (
    Route("GET", f"{_ORGANISATION}/notifications", page, "What an organisation was told",
          Page[Notified], query=NotificationQuery, open_to_keys=True),
    Route("GET", f"{_ORGANISATION}/notifications/{{notificationId}}", get, "A notification",
          Notified, open_to_keys=True),
    Route("GET", f"{_ORGANISATION}/notification-preferences", preferences,
          "How an organisation wants to be told", Preferences, open_to_keys=True),
    Route("PUT", f"{_ORGANISATION}/notification-preferences", replace_preferences,
          "Choose how an organisation is told", Preferences, body=NewPreferences,
          audit="notification_preferences.changed"),
)  # fmt: skip
