"""GitHub, as handlers see it: a repository that can be read and written, and an App's own calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from worker.github.app import Logins
from worker.github.client import Answer, Client
from worker.github.errors import LoginRefused
from worker.github.limits import Allowance
from worker.github.logins import AppLogin, GitHubLogin


class GitHub:
    """One a process. Every call raises what Client.send raises."""

    def __init__(
        self,
        redis: Redis,
        api_url: str = "https://api.github.com",
        *,
        allowance: Allowance | None = None,
    ) -> None:
        self._client = Client(redis, api_url, allowance)
        self._logins = Logins(self._client)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def repository(
        self, login: GitHubLogin, name: str, repository_id: int | None = None
    ) -> "Repository":
        """A repository (`owner/name`), asked about by this login."""
        return Repository(self._client, self._logins, login, name, repository_id)

    async def installation_token(self, login: AppLogin, repository: str) -> str | None:
        """An App's token for one repository; None where it is not installed."""
        return await self._logins.token(login, repository)

    async def as_app(
        self, login: AppLogin, method: str, path: str, query: Mapping[str, str] | None = None
    ) -> Answer:
        """A call of the App itself, such as about its webhook."""
        return await self._client.send(self._logins.app(login), method, path, query=query)


@dataclass(frozen=True, slots=True)
class Repository:
    """Calls below `/repos/{owner}/{name}`."""

    client: Client
    logins: Logins
    login: GitHubLogin
    name: str
    id: int | None = None

    @property
    def writes_checks(self) -> bool:
        """Whether the login may write check runs, and not statuses alone."""
        return isinstance(self.login, AppLogin)

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Read, make or change something at a path below the repository's own."""
        try:
            return await self._once(method, path, query, body)
        except LoginRefused:
            # A token can be revoked before its end; an App simply gets another.
            if not self.logins.forget(self.login, self.name):
                raise
        return await self._once(method, path, query, body)

    async def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
    ) -> Answer:
        caller = await self.logins.caller(self.login, self.name, self.id)
        return await self.client.send(
            caller, method, f"/repos/{self.name}{path}", query=query, body=body
        )
