"""What a route of the API is: its handler, and all that the OpenAPI document tells of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Parameter:
    """A request header that a route reads; `schema` is its JSON Schema."""

    name: str
    description: str
    required: bool = False
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True)
class Route:
    """One call. `query` and `body` are the models that check it, `answer` comes with `status`.

    `also` has the answers of further statuses, `errors` the refusals that only this route has: what
    follows from a path, a query or a body (400, 404, 413, 415) is understood. A route without a
    handler is served elsewhere, and only described here. `open_to_all`: it needs no token;
    `open_to_keys`: an organisation's API key will do, for what is its own. `limit` names the rate
    at which a caller may call it. `audit` is the action that the audit log records of a call.
    """

    method: str
    path: str
    handler: Handler | None
    summary: str
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    status: int = 200
    also: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    errors: Mapping[int, str] = field(default_factory=dict)
    headers: tuple[Parameter, ...] = ()
    media_type: str = "application/json"
    open_to_all: bool = False
    open_to_keys: bool = False
    limit: Literal["usage", "checks"] | None = None
    audit: str | None = None

    @property
    def path_parameters(self) -> list[str]:
        """The names in braces."""
        return re.findall(r"\{(\w+)\}", self.path)

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Serve it, unless it is served elsewhere."""
        if self.handler is not None:
            router.add_route(self.method, self.path, self.handler)


SERVED = web.AppKey("served", Mapping[tuple[str, str], Route])


def route_of(request: web.Request) -> Route | None:
    """The route that a request is for, unless it is not one of the API."""
    resource = request.match_info.route.resource
    if resource is None:
        return None
    return request.app[SERVED].get((request.method, resource.canonical))
