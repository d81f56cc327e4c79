"""Who calls the API: whoever has the operator's token, or an organisation by its API key."""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import asyncpg
from aiohttp import web

from webhooks.resources import RESOURCES
from worker.errors import Forbidden, SwitchyardError, Unauthorized
from worker.tenants.key_text import PREFIX

_LIKE_A_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){PREFIX}")


@dataclass(frozen=True, slots=True)
class Caller:
    """The operator, an organisation by its key, or anyone where no token is set.

    `id` is the API key's, `org_id` whose key it is.
    """

    kind: Literal["operator", "api_key", "anyone"]
    id: str | None = None
    org_id: str | None = None


OPERATOR, ANYONE = Caller("operator"), Caller("anyone")
CALLER = web.RequestKey("caller", Caller)


def caller(request: web.Request) -> Caller:
    """Who makes this call."""
    who: Caller = request.get(CALLER, ANYONE)
    return who


def authorise(request: web.Request, org_id: str) -> None:
    """Raise Forbidden where an API key is used for another organisation than its own."""
    who = caller(request)
    if who.kind == "api_key" and who.org_id != org_id:
        raise Forbidden("This API key belongs to another organisation.")


async def identified(request: web.Request) -> Caller:
    """Who sends these headers.

    Raises Unauthorized without a valid token or key, Forbidden for a blocked key and
    RecordUnavailable. Where no token is set anyone may call, but a key that is sent must be good.
    """
    given = request.headers.getall("Authorization", [])
    token = request.app[RESOURCES].settings.api_token
    credentials = _bearer(given)
    if token is not None and _same(credentials, token.get_secret_value()):
        return OPERATOR
    if credentials.startswith(PREFIX):
        return await _holder(request, credentials)
    if token is not None or any(map(_LIKE_A_KEY.search, given)):
        raise _refused(given)
    return ANYONE


def _bearer(given: Sequence[str]) -> str:
    """What the one header carries; nothing where there are several, or it is of another kind."""
    if len(given) != 1:
        return ""
    scheme, _, credentials = given[0].partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""


def _same(sent: str, token: str) -> bool:
    return hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), token.encode())


async def _holder(request: web.Request, key: str) -> Caller:
    resources = request.app[RESOURCES]
    row = await resources.keys.find(key)
    if row is None or row["state"] != "active":
        raise _bad_key(row)
    if row["stale"]:
        resources.key_use.add([row["id"]])
    return Caller("api_key", str(row["id"]), row["org_id"])


def _bad_key(row: asyncpg.Record | None) -> SwitchyardError:
    if row is None:
        return Unauthorized("The API key is not valid.")
    match row["state"]:
        case "blocked":
            return Forbidden(f"This API key is blocked: {row['blocked_reason'] or 'by hand'}")
        case "expired":
            return Unauthorized("This API key has expired.")
    return Unauthorized("This API key was revoked.")


def _refused(given: Sequence[str]) -> Unauthorized:
    if not given:
        return Unauthorized("Send the API token: Authorization: Bearer <token>.")
    if len(given) > 1:
        return Unauthorized("Send one Authorization header.")
    if any(map(_LIKE_A_KEY.search, given)):
        return Unauthorized("Send an API key like this: Authorization: Bearer <key>")
    return Unauthorized("The API token is wrong.")
