"""Sealing secrets: encrypted, authenticated, and bound to whose and what for they are."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from worker.errors import ConfigurationError, SwitchyardError

CREDENTIALS, ENDPOINTS = "CREDENTIAL_ENCRYPTION_KEY", "ENDPOINT_ENCRYPTION_KEY"


class Label(Protocol):
    """What is written on a sealed secret: its text is for people."""

    def inside(self) -> list[str]:
        """What is sealed in with the secret, so that it cannot be put in another one's place."""


class Unopenable(SwitchyardError):
    """A sealed secret cannot be opened here; the message says why, and what to do."""

    code = "unopenable"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed secret, and the fingerprint of the key that sealed it."""

    data: bytes
    key_id: str


class Cipher:
    """Seals with the first key, opens with any. Without keys it refuses both."""

    def __init__(self, keys: Sequence[str], variable: str = CREDENTIALS) -> None:
        """`variable` is where the keys come from, for errors.

        Raises ConfigurationError for what is no key, never showing it.
        """
        self._variable = variable
        self._key_ids = [key_id(key) for key in keys]
        fernets = [_fernet(key, number, variable) for number, key in enumerate(keys, start=1)]
        self._all = MultiFernet(fernets) if fernets else None

    @property
    def key_id(self) -> str:
        """The fingerprint of the key that seals. Raises ConfigurationError without keys."""
        if not self._key_ids:
            raise ConfigurationError(
                [f"{self._variable} is required to store secrets; make one with: {_RECIPE}"]
            )
        return self._key_ids[0]

    def seal(self, label: Label, content: Mapping[str, str]) -> Sealed:
        """Seal the content for this label. Raises ConfigurationError without keys."""
        key = self.key_id
        assert self._all is not None
        return Sealed(self._all.encrypt(orjson.dumps([label.inside(), dict(content)])), key)

    def open(self, label: Label, sealed: bytes) -> dict[str, str]:
        """The content, if it was sealed for this very label. Raises Unopenable."""
        if self._all is None:
            raise Unopenable(
                f"{label} cannot be opened: set {self._variable} to the key it was set with"
            )
        try:
            found, content = orjson.loads(self._all.decrypt(sealed))
        except InvalidToken:
            raise Unopenable(
                f"{label} cannot be opened: no key in {self._variable} is the one it was sealed "
                "with, or it was tampered with. Add the old key, or set it anew"
            ) from None
        if found != label.inside():
            raise Unopenable(
                f"{label} cannot be opened: it was sealed for another owner, kind or host. "
                "Set it anew"
            )
        opened: dict[str, str] = content
        return opened


_RECIPE = "openssl rand -base64 32 | tr +/ -_"


def key_id(key: str) -> str:
    """A key's fingerprint: 16 hexadecimal digits that tell nothing of it."""
    return hashlib.sha256(b"switchyard credential key\0" + key.encode()).hexdigest()[:16]


def _fernet(key: str, number: int, variable: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        raise ConfigurationError(
            [f"{variable}: key {number} is not 32 bytes in URL-safe base64; make one with: "
             f"{_RECIPE}"]
        ) from None  # fmt: skip
