"""`GET /api/openapi.json`: OpenAPI 3.1, built from the routes and the models that validate."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from webhooks.api.routes import Parameter, Route
from webhooks.resources import RESOURCES
from worker.jobs.views import View

PATH = "/api/openapi.json"
DOCUMENTS = web.AppKey("openapi_documents", Mapping[bool, bytes])
_ABOUT = (
    "Lists answer `items` and `next`, the cursor of the page after; errors answer `error` with a "
    "stable `code`, a `message` for people and, where fields are wrong, what is wrong with each."
)
_JSON = "application/json"
_IDS = {"id", "jobId", "keyId", "actionId", "notificationId", "endpointId", "messageId"}
_OF_ORGANISATION = "/api/orgs/{id}"
_UNDERSTOOD = {
    400: "malformed, or fields are wrong: each is named",
    401: "the token is missing or wrong",
    403: "an API key does not do for this, or is blocked, or another organisation's",
    404: "there is no such thing",
    413: "the body is too large",
    415: "the body is not JSON, or compressed",
    429: "called too often: Retry-After says when to call again",
    503: "the record is away, or too much is in flight: try again",
}
_RATE_HEADERS = {
    "RateLimit-Policy": "`calls;w=seconds`, or `unavailable` while calls cannot be counted",
    "RateLimit-Limit": "calls in a window",
    "RateLimit-Remaining": "calls that are left",
    "RateLimit-Reset": "seconds until all of them are back",
}

Json = dict[str, Any]


class Error(View):
    """What went wrong. `fields` names each wrong field."""

    code: str
    message: str
    fields: dict[str, str] = Field(default_factory=dict)


class ErrorAnswer(View):
    """The body of every error."""

    error: Error


class OpenApi(View, extra="allow"):
    """An OpenAPI document."""

    openapi: str


async def get(request: web.Request) -> web.Response:
    """`GET /api/openapi.json`."""
    guarded = request.app[RESOURCES].settings.api_token is not None
    body = request.app[DOCUMENTS][guarded]
    return web.Response(body=body, content_type=_JSON, charset="utf-8")


ROUTES = (Route("GET", PATH, get, "This document", OpenApi),)


def serve(app: web.Application, routes: Sequence[Route]) -> None:
    """Have the app answer with the document of these routes."""
    app[DOCUMENTS] = {guarded: orjson.dumps(document(routes, guarded)) for guarded in (True, False)}


def document(routes: Sequence[Route], guarded: bool) -> Json:
    """The document; `guarded` says whether calls need the API's token."""
    schemas = _schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas, guarded)
    # A query's model is shown as parameters, and would only repeat them.
    for query in {r.query for r in routes if r.query}:
        del schemas[query.__name__]
    bearer = {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Switchyard", "version": "1", "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": schemas, **(bearer if guarded else {})},
    } | ({"security": [{"bearer": []}]} if guarded else {})


def _schemas(routes: Iterable[Route]) -> dict[str, Json]:
    answers = {m for r in routes for m in (r.answer, *r.also.values()) if m} | {ErrorAnswer}
    asked = {m for r in routes for m in (r.body, r.query) if m}
    models = sorted(
        [(m, "serialization") for m in answers] + [(m, "validation") for m in asked],
        key=lambda pair: pair[0].__name__,
    )
    _, found = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    defined: dict[str, Json] = found["$defs"]
    return defined


def _operation(route: Route, schemas: Mapping[str, Json], guarded: bool) -> Json:
    needed = guarded and not route.open_to_all
    operation: Json = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.path.removeprefix("/api/").strip("/").split("/")[0]],
        "responses": _responses(route, needed),
    }
    parameters = [*_in_path(route), *_in_query(route, schemas), *map(_header, route.headers)]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        required = any(f.is_required() for f in route.body.model_fields.values())
        operation["requestBody"] = {"required": required, "content": _content(route.body, _JSON)}
    return operation | ({"security": []} if guarded and not needed else {})


def _operation_id(route: Route) -> str:
    if route.handler is None:
        return route.path.removeprefix("/api").strip("/").replace("/", "_")
    return f"{route.handler.__module__.rpartition('.')[2]}_{route.handler.__name__}"


def _responses(route: Route, needs_token: bool) -> Json:
    told = {route.status: route.answer, **route.also}
    counted = {"headers": _described(_RATE_HEADERS)} if route.limit else {}
    answers = {
        str(status): {"description": HTTPStatus(status).phrase, **counted}
        | ({"content": _content(model, route.media_type)} if model or status == 200 else {})
        for status, model in told.items()
    }
    refusals = {
        str(status): {"description": text, "content": _content(ErrorAnswer, _JSON), **counted}
        for status, text in sorted(_refusals(route, needs_token).items())
        if status not in told
    }
    return answers | refusals


def _refusals(route: Route, needs_token: bool) -> dict[int, str]:
    applies = {
        400: bool(route.query or route.body),
        401: needs_token,
        403: not route.open_to_all,
        404: "{" in route.path,
        413: route.body is not None,
        415: route.body is not None,
        429: route.limit is not None,
        503: not route.open_to_all,
    }
    understood = {s: text for s, text in _UNDERSTOOD.items() if applies[s]}
    return understood | dict(route.errors)


def _content(model: type[BaseModel] | None, media_type: str) -> Json:
    if model is None:
        return {media_type: {"schema": {"type": "string"}}}
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{_component(model)}"}}}


def _component(model: type[BaseModel]) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in model.__name__)


def _in_path(route: Route) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True,
         "schema": {"type": "string"} | ({"format": "uuid"} if _is_uuid(name, route) else {})}
        for name in route.path_parameters
    ]  # fmt: skip


def _is_uuid(name: str, route: Route) -> bool:
    return name in _IDS and not (name == "id" and route.path.startswith(_OF_ORGANISATION))


def _described(headers: Mapping[str, str]) -> Json:
    schema = {"type": "string"}
    return {name: {"description": text, "schema": schema} for name, text in headers.items()}


def _in_query(route: Route, schemas: Mapping[str, Json]) -> list[Json]:
    if route.query is None:
        return []
    properties: dict[str, Json] = schemas[route.query.__name__]["properties"]
    return [{"name": n, "in": "query", "schema": _as_given(s)} for n, s in properties.items()]


def _as_given(schema: Json) -> Json:
    # A parameter that is left out is null to us; a caller cannot send one.
    kinds = [s for s in schema.get("anyOf", [schema]) if s.get("type") != "null"]
    return kinds[0] if len(kinds) == 1 else schema


def _header(parameter: Parameter) -> Json:
    return {
        "name": parameter.name, "in": "header", "required": parameter.required,
        "description": parameter.description, "schema": dict(parameter.schema),
    }  # fmt: skip
