"""Reading a request's query, path and body into checked values, and answering in JSON."""

import base64
import binascii
from collections.abc import Collection, Sequence
from typing import Any, TypeVar
from uuid import UUID

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from webhooks.github.strict_json import quoted
from webhooks.resources import RESOURCES
from worker.errors import InvalidInput, NotFound
from worker.jobs.payloads import field_errors

DEFAULT_LIMIT, MAX_LIMIT = 50, 200

Model = TypeVar("Model", bound=BaseModel)


class Query:
    """The query parameters of a list; `limit` and `cursor` are always among them.

    Raises InvalidInput for a parameter that is unknown, repeated, or has a NUL character.
    """

    def __init__(self, request: web.Request, names: Collection[str] = ()) -> None:
        self._values = dict(request.query)
        allowed = {*names, "limit", "cursor"}
        for name, value in request.query.items():
            if name not in allowed:
                known = ", ".join(sorted(allowed))
                raise _refused(name[:100], f"is not a parameter here; there are {known}")
            if len(request.query.getall(name)) > 1:
                raise _refused(name, "was given more than once")
            if not value.isprintable():
                raise _refused(name, "has characters that cannot be printed")

    def text(self, name: str) -> str | None:
        """A parameter as it stands."""
        return self._values.get(name)

    def one_of(self, name: str, choices: Collection[str]) -> str | None:
        """A parameter that is one of these words."""
        value = self._values.get(name)
        if value is not None and value not in choices:
            raise _refused(name, f"must be one of {', '.join(choices)}")
        return value

    def uuid(self, name: str) -> UUID | None:
        """A parameter that is a UUID."""
        value = self._values.get(name)
        try:
            return None if value is None else UUID(value)
        except ValueError:
            raise _refused(name, "must be a UUID") from None

    @property
    def limit(self) -> int:
        """How many items a page may have."""
        value = self._values.get("limit", str(DEFAULT_LIMIT))
        if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= MAX_LIMIT):
            raise _refused("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
        return int(value)

    @property
    def cursor(self) -> str | None:
        """Where the page before ended."""
        value = self._values.get("cursor")
        try:
            return None if value is None else _unpacked(value)
        except (binascii.Error, ValueError):
            raise _bad_cursor() from None

    @property
    def cursor_id(self) -> UUID | None:
        """The same, for lists in the order of their ids."""
        try:
            return None if (cursor := self.cursor) is None else UUID(cursor)
        except ValueError:
            raise _bad_cursor() from None


def page_of(
    items: Sequence[dict[str, Any]], limit: int, key: str = "id", **more: object
) -> web.Response:
    """`{"items", "next"}`, of up to `limit` items and one more, which tells of a next page."""
    shown = list(items[:limit])
    following = _packed(str(shown[-1][key])) if len(items) > limit else None
    return answer({"items": shown, "next": following, **more})


def answer(body: object, status: int = 200) -> web.Response:
    """A JSON answer; UUIDs and times become text."""
    return web.Response(
        status=status,
        body=orjson.dumps(body, default=str),
        content_type="application/json",
        charset="utf-8",
    )


def path_id(request: web.Request) -> UUID:
    """The UUID in the path. Raises NotFound for what cannot be one."""
    text = request.match_info["id"]
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"{quoted(text)} is not an id.") from None


async def body_as(request: web.Request, model: type[Model]) -> Model:
    """The JSON body as the model. Raises InvalidInput naming each wrong field, never its value."""
    document = await request.app[RESOURCES].bodies.json(request)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise InvalidInput("The request is not valid.", field_errors(error)) from None


def _refused(name: str, problem: str) -> InvalidInput:
    return InvalidInput(f"{quoted(name)} {problem}.", {name: problem})


def _bad_cursor() -> InvalidInput:
    return _refused("cursor", "is not one that a page before this answered")


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(cursor: str) -> str:
    padded = cursor + "=" * (-len(cursor) % 4)
    text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    if "\0" in text:
        raise ValueError("NUL")
    return text
