"""What people do with credentials: set, list, remove and rotate them, and never see one again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field, SecretStr, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from worker.cipher import Cipher, Unopenable
from worker.credentials.model import Kind, Label, Owner
from worker.credentials.store import CredentialStore, SealedCredential
from worker.errors import InvalidInput, NotFound
from worker.jobs.paging import CursorId, PageQuery, Wanted, page_of
from worker.jobs.payload_base import Name
from worker.jobs.views import Page, View

ROTATED_AT_ONCE = 100
LONGEST_SECRET = 20_000

Host = Annotated[
    str,
    StringConstraints(
        to_lower=True, max_length=260, pattern=r"^[A-Za-z0-9_]([A-Za-z0-9._-]*)(:[0-9]{1,5})?$"
    ),
    Field(description="the host that it is for, with a port if it has an unusual one"),
]


class Owned(Wanted):
    """Whose it is: a project's or an organisation's."""

    project: Annotated[UUID | None, Field(description="the id of the project it is for")] = None
    organisation: Annotated[
        Name | None, Field(description="or the organisation whose projects it is for")
    ] = None

    @property
    def owner(self) -> Owner:
        """The one of the two that was given."""
        return Owner(self.project, self.organisation)


class Place(Owned):
    """Which credential is meant: every owner has one of a kind for a host."""

    kind: Kind
    host: Host = "github.com"

    @model_validator(mode="after")
    def _of_one_owner(self) -> Self:
        if (self.project is None) == (self.organisation is None):
            raise PydanticCustomError("owner", "give a project or an organisation")
        return self

    @property
    def label(self) -> Label:
        """What is written on it."""
        return Label(self.owner, self.kind, self.host)


class NewCredential(Place):
    """A credential to store: `secret` is a password, a token, or an App's private key in PEM."""

    secret: SecretStr
    username: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f:]+$"),
        Field(description="the user name that goes with a secret for git"),
    ] = None
    app_id: Annotated[
        str | None,
        StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$"),
        Field(description="the id of a GitHub App"),
    ] = None

    def content(self) -> dict[str, str]:
        """What is sealed. Raises InvalidInput naming what is missing, wrong or too much."""
        # A file or a pipe ends in a line break; a password may begin or end in spaces.
        secret = self.secret.get_secret_value().strip("\r\n" if self.kind == "git" else None)
        problem = _secret_problem(self.kind, secret)
        if problem:
            raise InvalidInput("The credential is not valid.", {"secret": problem})
        given = {"username": self.username, "appId": self.app_id}
        needed = {"git": "username", "github-app": "appId"}.get(self.kind)
        for name, value in given.items():
            if (value is not None) != (name == needed):
                problem = "is needed" if name == needed else f"does not go with {self.kind}"
                raise InvalidInput("The credential is not valid.", {_OPTIONS[name]: problem})
        return {"secret": secret} | {n: v for n, v in given.items() if v is not None}


class CredentialQuery(Owned, PageQuery):
    """Which credentials to list."""

    cursor: CursorId | None = None


class StoredCredential(View):
    """All that is ever shown of a credential; `keyId` is the fingerprint of what sealed it."""

    id: UUID
    project_id: UUID | None
    org_id: str | None
    kind: Kind
    host: str
    key_id: str
    created_at: datetime
    rotated_at: datetime | None


class Rotation(View):
    """How many were sealed anew with the first key, and which could not be opened."""

    key_id: str
    resealed: int
    unopenable: list[str]


class Vault:
    """Raises RecordUnavailable when Postgres is away, ConfigurationError without a key."""

    def __init__(self, store: CredentialStore, cipher: Cipher) -> None:
        self._store, self._cipher = store, cipher

    async def set(self, wanted: NewCredential) -> StoredCredential:
        """Seal and store it, in the place of a former one. Raises NotFound, InvalidInput."""
        row = await self._store.set(wanted.label, self._cipher.seal(wanted.label, wanted.content()))
        if row is None:
            raise NotFound(f"There is no project {wanted.project}.")
        return _shown(row)

    async def page(self, wanted: CredentialQuery) -> Page[StoredCredential]:
        """What is stored, by id: never a secret."""
        rows = await self._store.page(wanted.owner, wanted.cursor, wanted.limit + 1)
        return page_of([_shown(r) for r in rows], wanted.limit, lambda c: c.id)

    async def remove(self, wanted: Place) -> StoredCredential:
        """Delete it; answers what it was. Raises NotFound."""
        row = await self._store.remove(wanted.label)
        if row is None:
            raise NotFound(f"There is nothing to remove: {wanted.label} was never set.")
        return _shown(row)

    async def rotate(self) -> Rotation:
        """Seal with the first key what another one sealed, so many at a time.

        It may be stopped at any moment and begun again; what is set meanwhile stays as set.
        """
        key_id, after, resealed, lost = self._cipher.key_id, None, 0, list[str]()
        while batch := await self._store.sealed_otherwise(key_id, after, ROTATED_AT_ONCE):
            opened = self._resealed(batch, lost)
            resealed += await self._store.reseal(key_id, opened)
            after = batch[-1].id
        return Rotation(key_id=key_id, resealed=resealed, unopenable=lost)

    def _resealed(
        self, batch: Sequence[SealedCredential], lost: list[str]
    ) -> list[tuple[SealedCredential, bytes]]:
        done = []
        for sealed in batch:
            try:
                content = self._cipher.open(sealed.label, sealed.sealed)
            except Unopenable as error:
                lost.append(error.message)
                continue
            done.append((sealed, self._cipher.seal(sealed.label, content).data))
        return done


_OPTIONS = {"username": "username", "appId": "app-id"}


def _secret_problem(kind: Kind, secret: str) -> str | None:
    if not secret:
        return "is empty"
    if len(secret) > LONGEST_SECRET:
        return f"is longer than {LONGEST_SECRET} characters"
    if kind == "github-app":
        return _key_problem(secret)
    if not secret.isprintable():
        return "has characters that cannot be printed, such as a line break"
    return None


def _key_problem(pem: str) -> str | None:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        return "is not a private key in PEM without a password"
    return None if isinstance(key, RSAPrivateKey) else "is not an RSA key"


def _shown(row: asyncpg.Record) -> StoredCredential:
    return StoredCredential(**row)
