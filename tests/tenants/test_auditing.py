"""What people do, as it is put together for the audit log."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from tests.jobs.records import added
from tests.tenants.test_audit import NOON, stored
from worker.database.pool import Pool
from worker.errors import NotAudited
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.projects import Projects
from worker.jobs.tenant_payloads import Party
from worker.jobs.views import View
from worker.tenants.audit.steering import TOLD, Action, Auditing, party, printable

ANN = Party(type="operator")


class Answer(View):
    """What an action may answer."""

    id: UUID | None = None
    org_id: str | None = None
    project_id: UUID | None = None
    key: str = "sy_secret"
    secret: str = "whsec_secret"
    enabled: bool = True
    paused_reason: str | None = None
    override: dict[str, Any] | None = None


@pytest.fixture
async def project_id(pool: Pool) -> UUID:
    """A project of acme, which is known, as is `other`."""
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('acme', 'A'), ('other', 'O')")
    url = "https://example.org/p.git"
    return (await Projects(pool).enrol("P", url, "a/b", "free", "acme")).id


async def done(
    pool: Pool, answer: BaseModel | None = None, name: str = "job.retried", **action: Any
) -> dict[str, Any]:
    """The row of an action."""
    now: datetime = NOON
    await Auditing(pool).done(Action(name, ANN, {"requestId": "r"}, **action), answer, now)
    [*_, row] = await pool.fetch("SELECT * FROM audit_events ORDER BY id")
    return dict(row)


async def test_an_owner_is_found_by_itself_by_a_job_and_by_a_project(
    pool: Pool, project_id: UUID
) -> None:
    auditing = Auditing(pool)
    owned = await added(Ledger(pool), project_id=project_id)
    other = await added(Ledger(pool), project_id=project_id, org_id="other")
    stranger = await added(Ledger(pool), org_id="never-heard-of")
    found = [
        await auditing.owner(None, party("job", target))
        for target in (project_id, owned.id, other.id, stranger.id, new_id(), "webhooks")
    ]
    assert found == ["acme", "acme", "other", None, None, None]
    assert await auditing.owner("other", party("job", owned.id)) == "other"
    assert await auditing.owner("never-heard-of", None) is None
    assert await auditing.owner("NUL \0", None) is None
    assert await auditing.owner(None, None) is None


async def test_a_target_is_what_was_named_or_what_was_made(pool: Pool, project_id: UUID) -> None:
    given = await done(pool, Answer(id=new_id()), target=party("queue", "webhooks"))
    assert (given["target_type"], given["target_id"]) == ("queue", "webhooks")
    made = await done(pool, answer := Answer(id=new_id()), "api_key.created", org_id="acme")
    assert (made["target_type"], made["target_id"]) == ("api_key", str(answer.id))
    assert made["org_id"] == "acme"
    nothing = await done(pool, None, "credentials.rotated")
    assert (nothing["target_type"], nothing["target_id"]) == ("credentials", None)


async def test_an_organisation_is_that_of_the_answer_where_none_was_named(
    pool: Pool, project_id: UUID
) -> None:
    assert (await done(pool, Answer(org_id="other")))["org_id"] == "other"
    assert (await done(pool, Answer(project_id=project_id)))["org_id"] == "acme"
    assert (await done(pool, Answer(id=project_id)))["org_id"] == "acme"
    assert (await done(pool, Answer(org_id="never-heard-of")))["org_id"] is None
    acme = party("organisation", "acme")
    assert (await done(pool, None, "organisation.created", target=acme))["org_id"] == "acme"


async def test_metadata_is_what_was_done_bounded_and_without_secrets(pool: Pool) -> None:
    row = await done(
        pool, Answer(key="k", secret="s", paused_reason="x" * 5000, override={"a": ["b"] * 999})
    )
    assert row["metadata"] == {
        "pausedReason": "x" * 500, "override": ('{"a":[' + '"b",' * 999)[:500],
    }  # fmt: skip
    assert (await done(pool, Answer(enabled=False)))["metadata"] == {"enabled": False}
    assert not TOLD & {"key", "secret", "payload", "data", "traceparent", "error", "result"}


@pytest.mark.parametrize(
    ("sent", "stored_as"),
    [("curl\r\n\x1b[31m", "curl???[31m"), ("\udc80\0", "??"), ("x" * 300, "x" * 200), ("é", "é")],
)
async def test_whatever_a_caller_sends_can_be_stored(pool: Pool, sent: str, stored_as: str) -> None:
    assert printable(sent) == stored_as
    await done(pool, target=party("queue", sent))
    assert (await stored(pool))[0]["target_id"] == stored_as


async def test_what_cannot_be_recorded_is_told(pool: Pool) -> None:
    await pool.execute("ALTER TABLE audit_events ADD CONSTRAINT never CHECK (false) NOT VALID")
    try:
        with pytest.raises(NotAudited, match=r"It was done \(job.retried\), but the audit log"):
            await done(pool)
    finally:
        await pool.execute("ALTER TABLE audit_events DROP CONSTRAINT never")
