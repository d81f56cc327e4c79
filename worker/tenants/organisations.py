"""Organisations: the customers that projects, usage, limits and endpoints belong to."""

from datetime import datetime
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from worker.database import queries
from worker.database.pool import Pool, fetch, plain
from worker.errors import Conflict, InvalidInput, NotFound
from worker.jobs.overview import ByName
from worker.jobs.paging import Wanted, page_of
from worker.jobs.payload_base import Name
from worker.jobs.views import Page, View

SQL = queries.load(__file__)

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# Names of no place: one follows the machine, the other stands for "not set".
_NO_ZONES = frozenset({"localtime", "Factory"})


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _NO_ZONES


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise PydanticCustomError("timezone", "must be an IANA time zone such as Europe/Warsaw")
    return name


OrganisationId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,199}$"),
    Field(description="chosen by the caller, for good: letters, digits and . _ : @ -"),
]
Timezone = Annotated[
    str,
    StringConstraints(max_length=100),
    AfterValidator(_known_zone),
    Field(description="an IANA name: usage periods end at its midnights"),
]
Email = Annotated[
    str,
    StringConstraints(max_length=254, pattern=rf"^{_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})+$"),
    Field(description="where its notifications go"),
]


def _nothing() -> None:
    """What stands for a field that was not given, and in no schema as something to send."""


class NewOrganisation(Wanted, strict=True):
    """An organisation to add."""

    id: OrganisationId
    name: Name
    timezone: Timezone = "UTC"
    email: Email | None = None


class OrganisationChange(Wanted, strict=True):
    """What to change of an organisation; null removes its email address."""

    name: Name | SkipJsonSchema[None] = Field(default_factory=_nothing)
    timezone: Timezone | SkipJsonSchema[None] = Field(default_factory=_nothing)
    email: Email | None = None

    @field_validator("name", "timezone")
    @classmethod
    def _is_something(cls, value: str | None) -> str | None:
        if value is None:
            raise PydanticCustomError("null", "cannot be removed")
        return value

    @model_validator(mode="after")
    def _changes_something(self) -> "OrganisationChange":
        if not self.model_fields_set:
            raise PydanticCustomError("nothing", "give at least one thing to change")
        return self


class Organisation(View):
    """A customer, known by the id that was chosen for it."""

    id: str
    name: str
    timezone: str
    email: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone."""
        return ZoneInfo(self.timezone)


class Organisations:
    """The organisations in the record. Every method raises RecordUnavailable without Postgres.

    There is no way to delete one: the audit log keeps what it did.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, wanted: NewOrganisation) -> Organisation:
        """Add one. Raises Conflict when the id is taken."""
        rows = await fetch(
            self._pool, SQL.add, wanted.id, wanted.name, wanted.timezone, wanted.email
        )
        if not rows:
            raise Conflict(f"There is an organisation {wanted.id!r} already.")
        return Organisation(**rows[0])

    async def change(self, org_id: str, wanted: OrganisationChange) -> Organisation:
        """Change what is given. Raises NotFound."""
        given = wanted.model_fields_set
        rows = await fetch(
            self._pool, SQL.change, plain(org_id), wanted.name, wanted.timezone,
            "email" in given, wanted.email,
        )  # fmt: skip
        if not rows:
            raise missing(org_id)
        return Organisation(**rows[0])

    async def get(self, org_id: str) -> Organisation:
        """One organisation. Raises NotFound."""
        found = await self._find(org_id)
        if found is None:
            raise missing(org_id)
        return found

    async def require(self, org_id: str) -> Organisation:
        """The organisation that a body names. Raises InvalidInput on `orgId`."""
        found = await self._find(org_id)
        if found is None:
            raise InvalidInput(
                "The request is not valid.", {"orgId": "there is no such organisation"}
            )
        return found

    async def page(self, wanted: ByName) -> Page[Organisation]:
        """Organisations by id."""
        rows = await fetch(self._pool, SQL.page, wanted.cursor, wanted.limit + 1)
        found = [Organisation(**row) for row in rows]
        return page_of(found, wanted.limit, lambda organisation: organisation.id)

    async def _find(self, org_id: str) -> Organisation | None:
        rows = await fetch(self._pool, SQL.get, plain(org_id))
        return Organisation(**rows[0]) if rows else None


def missing(org_id: str) -> NotFound:
    """The error for an organisation that does not exist."""
    return NotFound(f"There is no organisation {org_id[:80]!a}.")
