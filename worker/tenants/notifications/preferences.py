"""By which ways an organisation wants to be told of what."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from worker.database import queries
from worker.database.pool import Pool, Transaction, atomically, fetch
from worker.jobs.paging import Wanted
from worker.jobs.tenant_payloads import NotificationType
from worker.jobs.views import View
from worker.tenants.notifications.model import Channel
from worker.tenants.organisations import Organisation, Organisations

SQL = queries.load(__file__)
CHANNELS: tuple[Channel, ...] = ("email", "webhook")


def _listed(choice: object) -> list[Channel]:
    """`"off"`, a channel, or a list of channels, as a list in a fixed order."""
    given = [] if choice == "off" else choice if isinstance(choice, list) else [choice]
    if not all(isinstance(c, str) and c in CHANNELS for c in given):
        raise PydanticCustomError("channels", "should be email, webhook, a list of these, or off")
    return [c for c in CHANNELS if c in given]


def _shown(channels: list[Channel]) -> list[Channel] | str:
    return channels or "off"


_NAMES = {"type": "string", "enum": list(CHANNELS)}
Choice = Annotated[
    list[Channel],
    BeforeValidator(_listed),
    PlainSerializer(_shown),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": [*CHANNELS, "off"]},
                {"type": "array", "items": _NAMES},
            ]
        }
    ),
]


class Preferences(View):
    """What an organisation is told, by which channels, or `off`.

    Where it made no choice it is told by email if it has an address, and by webhook otherwise.
    """

    threshold_warning: Choice = Field(alias="threshold_warning")
    limit_exceeded: Choice = Field(alias="limit_exceeded")
    feature_disabled: Choice = Field(alias="feature_disabled")
    endpoint_disabled: Choice = Field(alias="endpoint_disabled")


class NewPreferences(Wanted):
    """All that an organisation chooses; for a type that is left out the default holds."""

    threshold_warning: Choice | None = Field(default=None, alias="threshold_warning")
    limit_exceeded: Choice | None = Field(default=None, alias="limit_exceeded")
    feature_disabled: Choice | None = Field(default=None, alias="feature_disabled")
    endpoint_disabled: Choice | None = Field(default=None, alias="endpoint_disabled")


class PreferenceStore:
    """Reads and replaces preferences. Raises NotFound, and RecordUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool, self._organisations = pool, Organisations(pool)

    async def get(self, org_id: str) -> Preferences:
        """What holds for an organisation, defaults included."""
        organisation = await self._organisations.get(org_id)
        rows = await fetch(self._pool, SQL.all, org_id)
        chosen = {row["type"]: row["channels"] for row in rows}
        default = default_channels(organisation)
        return Preferences(**{name: chosen.get(name, default) for name in Preferences.model_fields})

    async def replace(self, org_id: str, wanted: NewPreferences) -> Preferences:
        """Let these choices hold and no others; answers what holds now."""
        await self._organisations.get(org_id)
        chosen: dict[str, Any] = {name: c for name, c in wanted if c is not None}

        async def work(connection: Transaction) -> None:
            await connection.execute(SQL.forget, org_id, list(chosen))
            for name in sorted(chosen):
                await connection.execute(SQL.keep, org_id, name, chosen[name])

        await atomically(self._pool, work)
        return await self.get(org_id)


def default_channels(organisation: Organisation) -> list[Channel]:
    """The channels of an organisation that made no choice."""
    return ["email"] if organisation.email else ["webhook"]


async def chosen_channels(
    connection: Transaction, organisation: Organisation, type_: NotificationType
) -> list[Channel]:
    """The channels for one type, in the caller's transaction; none: it is off."""
    chosen: list[Channel] | None = await connection.fetchval(SQL.of_type, organisation.id, type_)
    return default_channels(organisation) if chosen is None else chosen
