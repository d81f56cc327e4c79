"""Endpoints' secrets as they are stored: sealed, each for its endpoint alone."""

from dataclasses import dataclass
from uuid import UUID

from worker.cipher import Cipher, Sealed

_FIELD = "secret"


@dataclass(frozen=True, slots=True)
class EndpointLabel:
    """Whose a secret is."""

    endpoint_id: UUID
    org_id: str

    def __str__(self) -> str:
        return f"the secret of endpoint {self.endpoint_id}"

    def inside(self) -> list[str]:
        """What is sealed in with the secret."""
        return ["endpoint", str(self.endpoint_id), self.org_id]


def seal(cipher: Cipher, label: EndpointLabel, secret: str) -> Sealed:
    """A secret, to be stored. Raises ConfigurationError where no key is set."""
    return cipher.seal(label, {_FIELD: secret})


def unseal(cipher: Cipher, label: EndpointLabel, *sealed: bytes | None) -> list[str]:
    """The secrets that were sealed for this endpoint, of those there are. Raises Unopenable."""
    return [cipher.open(label, one)[_FIELD] for one in sealed if one is not None]
