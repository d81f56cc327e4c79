"""Logging in to GitHub: as an App, by tokens for one repository each, or with a given token."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import jwt

from worker.github.client import Caller, Client
from worker.github.errors import LoginRefused, NotThere
from worker.github.logins import AppLogin, GitHubLogin, TokenLogin

# What an installation token may do, whatever else the App may.
PERMISSIONS = {"checks": "write", "statuses": "write", "contents": "read", "metadata": "read"}
_BEFORE_ITS_END = 300.0
# Five seconds less than the ten minutes that GitHub allows, the back-dated minute included.
_BACK, _LASTS = 60, 535
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class _Token:
    """`good_until` is wall-clock seconds."""

    text: str = field(repr=False)
    installation: int
    good_until: float


class Logins:
    """Makes callers of logins. Installation tokens are kept until five minutes before their end."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock
        self._tokens: dict[tuple[str, str], _Token] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def caller(
        self, login: GitHubLogin, repository: str, repository_id: int | None = None
    ) -> Caller:
        """Who asks about a repository (`owner/name`).

        Raises NotThere where the App is not installed, LoginRefused, and as Client.send does.
        """
        if isinstance(login, TokenLogin):
            return _owner(login)
        token = await self._token(login, repository, repository_id)
        return Caller(
            f"installation:{token.installation}",
            f"App {login.app_id} on {repository}",
            f"Bearer {token.text}",
        )

    def app(self, login: AppLogin) -> Caller:
        """The App itself. Raises LoginRefused when its private key is none."""
        now = int(self._clock())
        claims = {"iat": now - _BACK, "exp": now + _LASTS, "iss": login.app_id}
        try:
            proof = jwt.encode(claims, login.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            raise LoginRefused(
                f"the private key of App {login.app_id} cannot be read: it has to be the RSA key "
                "in PEM form that GitHub made for the App"
            ) from None
        return Caller(f"app:{login.app_id}", f"App {login.app_id}", f"Bearer {proof}")

    async def token(self, login: AppLogin, repository: str) -> str | None:
        """A token for one repository; None where the App is not installed."""
        try:
            return (await self._token(login, repository, None)).text
        except NotThere:
            return None

    def forget(self, login: GitHubLogin, repository: str) -> bool:
        """Drop a token that GitHub no longer takes; answers whether there was one."""
        if isinstance(login, TokenLogin):
            return False
        return self._tokens.pop(_place(login, repository), None) is not None

    async def _token(self, login: AppLogin, repository: str, repository_id: int | None) -> _Token:
        place = _place(login, repository)
        async with self._locks.setdefault(place, asyncio.Lock()):
            token = self._tokens.get(place)
            if token is None or token.good_until <= self._clock():
                token = await self._new_token(login, repository, repository_id)
                self._forget_old()
                self._tokens[place] = token
            return token

    def _forget_old(self) -> None:
        now = self._clock()
        self._tokens = {p: t for p, t in self._tokens.items() if t.good_until > now}

    async def _new_token(
        self, login: AppLogin, repository: str, repository_id: int | None
    ) -> _Token:
        app = self.app(login)
        try:
            found = await self._client.send(app, "GET", f"/repos/{repository}/installation")
        except NotThere:
            raise NotThere(f"App {login.app_id} is not installed on {repository}") from None
        installation = int(found.data["id"])
        made = await self._client.send(
            app,
            "POST",
            f"/app/installations/{installation}/access_tokens",
            body=_narrowed(repository, repository_id),
        )
        end = datetime.fromisoformat(made.data["expires_at"]).timestamp()
        return _Token(made.data["token"], installation, end - _BEFORE_ITS_END)


def _owner(login: TokenLogin) -> Caller:
    if not _TOKEN.fullmatch(login.token):
        raise LoginRefused("the GitHub token holds what no token can hold: enter it once more")
    return Caller(login.key, "the token", f"Bearer {login.token}")


def _narrowed(repository: str, repository_id: int | None) -> dict[str, object]:
    permissions: dict[str, object] = {"permissions": PERMISSIONS}
    if repository_id is not None:
        return permissions | {"repository_ids": [repository_id]}
    return permissions | {"repositories": [repository.partition("/")[2]]}


def _place(login: AppLogin, repository: str) -> tuple[str, str]:
    # With the key: who only knows an App's number must not get what another's key has fetched.
    return login.key, repository.lower()
