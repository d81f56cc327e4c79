"""`switchyard endpoints`."""

import pytest
from cryptography.fernet import Fernet

from tests.cli.conftest import Switchyard
from worker.cipher import Cipher, key_id
from worker.database.pool import Pool
from worker.jobs.ids import new_id
from worker.outgoing.sealing import EndpointLabel, seal, unseal

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


async def added(record: Pool, key: str, *secrets: str) -> EndpointLabel:
    """An endpoint with a secret, and the one before it if there are two."""
    label, cipher = EndpointLabel(new_id(), f"acme-{new_id()}"), Cipher([key])
    sealed = [seal(cipher, label, secret) for secret in secrets]
    before = sealed[1] if sealed[1:] else None
    await record.execute("INSERT INTO organisations (id, name) VALUES ($1, 'A')", label.org_id)
    await record.execute(
        "INSERT INTO outgoing_endpoints (id, org_id, url, secret, secret_key_id, previous_secret,"
        " previous_key_id, previous_until)"
        " VALUES ($1, $2, 'https://a.example', $3, $4, $5, $6, CASE WHEN $7 THEN now() END)",
        label.endpoint_id, label.org_id, sealed[0].data, sealed[0].key_id,
        before.data if before else None, before.key_id if before else None, before is not None,
    )  # fmt: skip
    return label


async def opened(record: Pool, label: EndpointLabel, key: str) -> tuple[list[str], set[str]]:
    """The secrets, as this key opens them, and the keys that they are said to be sealed with."""
    row = await record.fetchrow(
        "SELECT secret, previous_secret, secret_key_id, previous_key_id FROM outgoing_endpoints"
        " WHERE id = $1",
        label.endpoint_id,
    )
    assert row is not None
    secrets = [s for s in (row["secret"], row["previous_secret"]) if s]
    return unseal(Cipher([key]), label, *secrets), {k for k in (row[2], row[3]) if k}


async def test_all_secrets_are_sealed_with_the_first_key(
    switchyard: Switchyard, record: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDPOINT_ENCRYPTION_KEY", f"{NEW},{OLD}")
    one, two = await added(record, OLD, "s-1"), await added(record, OLD, "s-2", "s-1")
    ran = await switchyard("endpoints", "reseal", "--json")
    assert (ran.code, ran.json) == (0, {"keyId": key_id(NEW), "resealed": 2, "unopenable": []})
    assert await opened(record, one, NEW) == (["s-1"], {key_id(NEW)})
    assert await opened(record, two, NEW) == (["s-2", "s-1"], {key_id(NEW)})
    assert (await switchyard("endpoints", "reseal", "--json")).json["resealed"] == 0


async def test_what_no_key_opens_is_named_and_left(
    switchyard: Switchyard, record: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDPOINT_ENCRYPTION_KEY", NEW)
    label = await added(record, OLD, "s-1")
    ran = await switchyard("endpoints", "reseal")
    assert ran.code == 1
    assert f"the secret of endpoint {label.endpoint_id} cannot be opened" in ran.out
    assert "ENDPOINT_ENCRYPTION_KEY" in ran.out
    assert await opened(record, label, OLD) == (["s-1"], {key_id(OLD)})


async def test_without_a_key_it_says_which_variable_to_set(switchyard: Switchyard) -> None:
    ran = await switchyard("endpoints", "reseal")
    assert ran.code == 2
    assert "ENDPOINT_ENCRYPTION_KEY is required" in ran.err
