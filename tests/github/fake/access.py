"""Who may do what at the fake GitHub."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

from tests.github.fake.state import App, Company, Refusal, Repository, Token

LONGEST_JWT = 600


@dataclass(frozen=True)
class Caller:
    """Exactly one of: an App itself, an installation by its token, a person."""

    key: str
    app: App | None = None
    token: Token | None = None

    def must_reach(self, repository: Repository, permission: str, level: str) -> None:
        """Raise a 404 or 403 unless the caller may."""
        if self.app is not None:
            raise Refusal(403, "Resource not accessible by an App without installation token")
        if self.token is None:
            if permission == "checks" and level == "write":
                raise Refusal(403, "You must authenticate via a GitHub App.")
            return
        if repository.id not in self.token.repositories:
            raise Refusal(404, "Not Found")
        granted = self.token.permissions.get(permission)
        if granted != "write" and granted != level:
            raise Refusal(403, "Resource not accessible by integration")

    def must_be_app(self) -> App:
        """Raise a 401 unless the caller is an App by its JWT."""
        if self.app is None:
            raise Refusal(401, "A JSON web token could not be decoded")
        return self.app


def identify(company: Company, authorization: str) -> Caller:
    """Who that is. Raises a 401."""
    kind, _, proof = authorization.partition(" ")
    if kind.lower() not in ("bearer", "token") or not proof:
        raise Refusal(401, "Requires authentication")
    if proof in company.personal:
        return Caller(f"personal:{proof}")
    token = company.tokens.get(proof)
    if token is not None:
        if token.expires_at <= datetime.now(UTC):
            raise Refusal(401, "Bad credentials")
        return Caller(f"installation:{token.installation}", token=token)
    return _app(company, proof)


def _app(company: Company, proof: str) -> Caller:
    try:
        issuer = jwt.decode(proof, options={"verify_signature": False})["iss"]
        app = company.apps[issuer]
        # No leeway, as GitHub gives none.
        claims = jwt.decode(
            proof, app.key.public_key(), ["RS256"], options={"require": ["iat", "exp", "iss"]}
        )
    except (jwt.PyJWTError, KeyError):
        raise Refusal(401, "A JSON web token could not be decoded") from None
    if claims["exp"] > time.time() + LONGEST_JWT or claims["exp"] - claims["iat"] > LONGEST_JWT:
        raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
    return Caller(f"app:{app.id}", app=app)
