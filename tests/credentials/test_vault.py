"""Setting, listing, removing and rotating credentials."""

from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from tests.credentials.conftest import KEY, Safe
from worker.cipher import key_id
from worker.credentials import vault
from worker.credentials.vault import CredentialQuery, NewCredential, Place
from worker.errors import ConfigurationError, InvalidInput, NotFound
from worker.git import Credential
from worker.github.logins import TokenLogin

NEXT = Fernet.generate_key().decode()


async def test_a_credential_is_stored_sealed_and_shown_without_its_secret(safe: Safe) -> None:
    stored = await safe.set("tok-123456")
    [row] = await safe.pool.fetch("SELECT * FROM credentials")
    assert b"tok-123456" not in bytes(row["sealed"])
    assert "tok-123456" not in f"{stored!r}{row!r}"
    assert (stored.project_id, stored.org_id, stored.host) == (safe.project.id, None, "github.com")
    assert stored.key_id == key_id(KEY)


async def test_only_the_line_break_of_a_file_is_taken_off_a_password(safe: Safe) -> None:
    await safe.set(" pass word \r\n", "git", username="ann")
    found = await safe.credentials().for_git(safe.project)
    assert found == Credential("ann", " pass word ")
    await safe.set("  tok-123456\n")
    login = await safe.credentials().for_github(safe.project)
    assert login == TokenLogin("tok-123456")


async def test_setting_again_replaces(safe: Safe) -> None:
    first, second = await safe.set("one-one-one"), await safe.set("two-two-two")
    assert first.id == second.id
    found = await safe.credentials().for_git(safe.project)
    assert found is not None
    assert found.secret == "two-two-two"


async def test_credentials_are_listed_by_owner_in_pages(safe: Safe) -> None:
    mine = await safe.set("tok-123456")
    ours = [
        await safe.set("tok-123456", organisation="acme", host=f"h{n}.example") for n in range(3)
    ]
    first = await safe.vault.page(CredentialQuery(organisation="acme", limit=2))
    assert [c.id for c in first.items] == [c.id for c in ours[:2]]
    assert first.next is not None
    rest = CredentialQuery.model_validate({"organisation": "acme", "cursor": first.next})
    assert [c.id for c in (await safe.vault.page(rest)).items] == [ours[2].id]
    assert (await safe.vault.page(CredentialQuery(project=safe.project.id))).items == [mine]
    assert len((await safe.vault.page(CredentialQuery())).items) == 4


async def test_a_credential_is_removed_once(safe: Safe) -> None:
    stored = await safe.set("tok-123456")
    place = Place(project=safe.project.id, kind="github-token")
    assert await safe.vault.remove(place) == stored
    with pytest.raises(NotFound, match="was never set"):
        await safe.vault.remove(place)


async def test_a_project_has_to_be_there(safe: Safe) -> None:
    with pytest.raises(NotFound, match="There is no project"):
        await safe.vault.set(
            NewCredential.model_validate(
                {"kind": "github-token", "project": uuid4(), "secret": "tok-123456"}
            )
        )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"secret": "  \n"}, "secret"),
        ({"secret": "two\nlines"}, "secret"),
        ({"secret": "x" * 20_001}, "secret"),
        ({"kind": "git"}, "username"),
        ({"username": "ann"}, "username"),
        ({"kind": "github-app", "secret": "no key"}, "secret"),
        ({"app_id": "12"}, "app-id"),
    ],
)
async def test_what_does_not_fit_is_refused(safe: Safe, wrong: dict[str, str], told: str) -> None:
    given = {"secret": "tok-123456", "kind": "github-token"} | wrong
    with pytest.raises(InvalidInput) as refused:
        await safe.set(**given)
    assert [*refused.value.fields] == [told]
    assert given["secret"].strip() == "" or given["secret"] not in str(refused.value.fields)
    assert await safe.pool.fetch("SELECT * FROM credentials") == []


async def test_an_app_needs_its_id_and_an_rsa_key(safe: Safe, app_key: str) -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(InvalidInput) as refused:
        await safe.set(curve.decode(), "github-app", app_id="12")
    assert refused.value.fields == {"secret": "is not an RSA key"}
    with pytest.raises(InvalidInput) as refused:
        await safe.set(app_key, "github-app")
    assert refused.value.fields == {"app-id": "is needed"}
    await safe.set(app_key, "github-app", app_id="12")


def test_it_has_one_owner_and_a_host_that_is_one() -> None:
    for wrong in (
        {}, {"project": uuid4(), "organisation": "acme"},
        {"organisation": "acme", "host": "https://github.com"},
        {"organisation": "acme", "host": "github.com/x"},
        {"organisation": "acme", "host": "a@github.com"},
    ):  # fmt: skip
        with pytest.raises(ValidationError):
            Place.model_validate({"kind": "git"} | wrong)


async def test_without_a_key_nothing_is_stored(safe: Safe) -> None:
    safe.keys = []
    with pytest.raises(ConfigurationError, match="CREDENTIAL_ENCRYPTION_KEY"):
        await safe.set("tok-123456")


async def test_rotation_seals_everything_with_the_first_key(
    safe: Safe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "ROTATED_AT_ONCE", 2)
    for number in range(5):
        await safe.set(f"tok-{number}", host=f"h{number}.example")
    await safe.set("tok-github")
    safe.keys = [NEXT, KEY]
    rotation = await safe.vault.rotate()
    assert (rotation.resealed, rotation.unopenable) == (6, [])
    assert (await safe.vault.rotate()).resealed == 0
    safe.keys = [NEXT]
    found = await safe.credentials().for_git(safe.project)
    assert found is not None
    assert found.secret == "tok-github"
    rows = await safe.pool.fetch("SELECT key_id, rotated_at FROM credentials")
    assert {r["key_id"] for r in rows} == {key_id(NEXT)}
    assert None not in {r["rotated_at"] for r in rows}


async def test_rotation_stopped_half_way_goes_on(
    safe: Safe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "ROTATED_AT_ONCE", 2)
    for number in range(5):
        await safe.set(f"tok-{number}", host=f"h{number}.example")
    safe.keys = [NEXT, KEY]
    stopping = safe.vault
    store, calls = stopping._store, 0

    async def reseal(*arguments: object) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return await type(store).reseal(store, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "reseal", reseal)
    with pytest.raises(KeyboardInterrupt):
        await stopping.rotate()
    assert (await safe.vault.rotate()).resealed == 3
    assert (await safe.vault.page(CredentialQuery())).items[0].key_id == key_id(NEXT)


async def test_rotation_tells_what_it_cannot_open_and_goes_on(safe: Safe) -> None:
    await safe.set("tok-lost-", host="lost.example")
    safe.keys = [NEXT]
    await safe.set("tok-123456")
    newest = Fernet.generate_key().decode()
    safe.keys = [newest, NEXT]
    rotation = await safe.vault.rotate()
    assert rotation.resealed == 1
    [problem] = rotation.unopenable
    assert "lost.example" in problem
    assert "tok-lost-" not in problem


async def test_a_credential_set_during_rotation_stays_as_set(safe: Safe) -> None:
    await safe.set("tok-former")
    safe.keys = [NEXT, KEY]
    store = CredentialStoreThatWaits(safe)
    assert await store.rotated_late() == 0
    found = await safe.credentials().for_git(safe.project)
    assert found is not None
    assert found.secret == "tok-newer"


class CredentialStoreThatWaits:
    """What a rotation does when somebody sets the credential between its reading and writing."""

    def __init__(self, safe: Safe) -> None:
        self._safe, self._store = safe, safe.vault._store

    async def rotated_late(self) -> int:
        read = await self._store.sealed_otherwise(key_id(NEXT), None, 10)
        resealed = self._safe.vault._resealed(read, [])
        await self._safe.set("tok-newer")
        return await self._store.reseal(key_id(NEXT), resealed)
