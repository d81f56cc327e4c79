"""A project of an organisation, keys, and what is stored with them."""

from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from worker.credentials import Cipher, Credentials, CredentialStore
from worker.credentials.vault import NewCredential, StoredCredential, Vault
from worker.database.pool import Pool
from worker.jobs.ids import new_id
from worker.jobs.model import Project
from worker.jobs.projects import Projects

KEY = Fernet.generate_key().decode()


@dataclass
class Safe:
    """A vault over one project, and its view from the worker."""

    pool: Pool
    project: Project
    keys: list[str]

    @property
    def vault(self) -> Vault:
        return Vault(CredentialStore(self.pool), Cipher(self.keys))

    async def set(self, secret: str, kind: str = "github-token", **more: Any) -> StoredCredential:
        """Store a secret of the project, unless `organisation` says whose it is."""
        owner = {} if "organisation" in more else {"project": self.project.id}
        return await self.vault.set(
            NewCredential.model_validate({"kind": kind, "secret": secret} | owner | more)
        )

    def credentials(self, **more: Any) -> Credentials:
        """What the worker resolves with."""
        return Credentials(CredentialStore(self.pool), Cipher(self.keys), **more)


@pytest.fixture
async def safe(pool: Pool) -> Safe:
    name = f"acme/{new_id().hex}"
    projects = Projects(pool)
    project = await projects.enrol("P", f"https://github.com/{name}.git", name, "free", "acme")
    return Safe(pool, project, [KEY])


@pytest.fixture(scope="session")
def app_key() -> str:
    """An App's private key, in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
