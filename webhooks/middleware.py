"""Every error as JSON, once; and the headers that every answer has."""

import math
import secrets

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from webhooks.answers import REQUEST_ID, SECURITY, error_response, new_request_id
from webhooks.resources import RESOURCES
from worker import errors

log = structlog.get_logger(__name__)

STATUSES: dict[type[errors.SwitchyardError], int] = {
    errors.InvalidInput: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.RateLimited: 429,
    errors.LimitUnavailable: 503,
    errors.RecordUnavailable: 503,
    errors.Overloaded: 503,
}
_MORE_HEADERS = {401: {"WWW-Authenticate": 'Bearer realm="switchyard"'}, 503: {"Retry-After": "5"}}
_ROUTING = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method; see Allow."),
    408: ("request_timeout", "The request took too long."),
    417: ("expectation_failed", "The only expectation met is 100-continue."),
}


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer `{"error":{"code","message","fields"?}}` for whatever goes wrong."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _routed(error)
    except ConnectionError:
        raise  # the client is gone: there is nobody to answer
    except Exception as error:  # noqa: BLE001  the caller gets an id, and the log everything
        return response_to(error, request.method, request.path)


def response_to(error: Exception, method: str, path: str) -> web.Response:
    """What to answer when a request ended with this error; one that nobody foresaw is logged."""
    status = next((s for kind, s in STATUSES.items() if isinstance(error, kind)), None)
    if status is None or not isinstance(error, errors.SwitchyardError):
        return _unexpected(error, method, path)
    fields = error.fields if isinstance(error, errors.InvalidInput) else None
    headers = _MORE_HEADERS.get(status)
    if isinstance(error, errors.RateLimited):
        headers = {"Retry-After": str(math.ceil(error.retry_after))}
    return error_response(status, error.code, error.message, fields, headers)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer: what browsers may not do with it, and an id to find it by."""
    if request.app[RESOURCES].health.draining:
        response.force_close()
        response.headers["Connection"] = "close"
    for name, value in SECURITY.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault(REQUEST_ID, new_request_id())


def _routed(error: web.HTTPException) -> web.Response:
    code, message = _ROUTING.get(error.status, ("http_error", error.reason))
    allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return error_response(error.status, code, message, headers=allowed)


def _unexpected(error: Exception, method: str, path: str) -> web.Response:
    error_id = secrets.token_hex(8)
    log.error("http.failed", error_id=error_id, method=method, path=path, exc_info=error)
    message = f"Something went wrong on our side; its id is {error_id}."
    return error_response(500, "internal", message, headers={REQUEST_ID: error_id})
