"""Lists in pages: what a caller may ask for, and the cursors that lead from page to page."""

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from worker.jobs.views import Page

DEFAULT_LIMIT, MAX_LIMIT = 50, 200

Row = TypeVar("Row")


class Wanted(BaseModel):
    """The base of what callers ask for: camelCase; an unknown field is an error."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


def packed(text: str) -> str:
    """A cursor that holds this text."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unpacked(cursor: object) -> str:
    """The text in a cursor. Raises ValueError when it holds none."""
    padded = f"{cursor}{'=' * (-len(str(cursor)) % 4)}"
    text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    if "\0" in text:
        raise ValueError("NUL")
    return text


def cursor_as(read: Callable[[str], object]) -> tuple[BeforeValidator, WithJsonSchema]:
    """The annotations of a cursor whose text is read by a function that may raise ValueError."""

    def check(cursor: object) -> object:
        try:
            return read(unpacked(cursor))
        except ValueError:
            problem = "is not one that a page before this answered"
            raise PydanticCustomError("cursor", problem) from None

    opaque = {"type": "string", "description": "`next` of the page before"}
    return BeforeValidator(check), WithJsonSchema(opaque)


_TEXT, _ID = cursor_as(str), cursor_as(UUID)
Cursor = Annotated[str, _TEXT[0], _TEXT[1]]
CursorId = Annotated[UUID, _ID[0], _ID[1]]


class PageQuery(Wanted):
    """What every list takes: how many items, and where the page before ended."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="items in a page")] = DEFAULT_LIMIT


class ById(PageQuery):
    """A list in the order of its ids."""

    cursor: CursorId | None = None


def page_of(items: Sequence[Row], limit: int, key: Callable[[Row], object]) -> Page[Row]:
    """Up to `limit` items; one more than that tells of a next page, which begins after `key`."""
    shown = list(items[:limit])
    following = packed(str(key(shown[-1]))) if len(items) > limit else None
    return Page(items=shown, next=following)
