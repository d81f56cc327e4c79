"""What GitHub is logged in to with: an App, or somebody's token."""

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TokenLogin:
    """A personal or machine account's token. It may write statuses, but no check runs."""

    token: str = field(repr=False)

    @property
    def key(self) -> str:
        """A name for it that tells nothing of the token."""
        return f"token:{_fingerprint(self.token)}"


@dataclass(frozen=True, slots=True)
class AppLogin:
    """A GitHub App: its id (or client id), and its private key in PEM form."""

    app_id: str
    private_key: str = field(repr=False)
    host: str = "github.com"

    @property
    def key(self) -> str:
        """A name for it that tells nothing of the private key, and yet differs with it."""
        return f"app:{self.app_id}:{_fingerprint(self.private_key)}"


GitHubLogin = AppLogin | TokenLogin


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:16]
