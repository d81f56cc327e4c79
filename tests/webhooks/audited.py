"""An organisation and its audit log, as the service shows it."""

from typing import Any

from tests.webhooks.service import Service

ORG = "audited-org"
PATH = f"/api/orgs/{ORG}/audit"


async def add_organisation(service: Service) -> None:
    """Have the organisation be there."""
    await service.resources.pool.execute(
        "INSERT INTO organisations (id, name) VALUES ($1, 'Audited') ON CONFLICT DO NOTHING", ORG
    )


async def latest(service: Service, path: str = "/api/audit/events") -> Any:
    """The newest event of a log."""
    return (await service.call("GET", path, params={"limit": 1})).body["items"][0]
