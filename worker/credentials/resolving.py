"""Which credential goes where: the nearest one, and only to the host that it was given for."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from worker.cipher import Cipher, Unopenable
from worker.credentials.model import Kind
from worker.credentials.store import CredentialStore, SealedCredential
from worker.errors import PermanentError
from worker.git import Credential
from worker.github.logins import AppLogin, GitHubLogin, TokenLogin
from worker.jobs.model import Project

FOR_GIT: tuple[Kind, ...] = ("git", "github-token", "github-app")
FOR_GITHUB: tuple[Kind, ...] = ("github-app", "github-token")
# The user name that GitHub takes a token with.
TOKEN_USER = "x-access-token"  # noqa: S105  a name, and no secret
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class InstallationToken(Protocol):
    """Asks GitHub for a token of an App, good for one repository (`owner/name`)."""

    async def __call__(self, login: AppLogin, repository: str) -> str | None:
        """The token; None where the App is not installed on that repository."""


class Credentials:
    """Finds a project's own credential, its organisation's, or one of the environment, in order.

    Those of the environment are for the host whose API is at `api_url`.

    Every method raises RecordUnavailable when Postgres is away, and PermanentError, telling whose
    it is and what to do, when the one that should be used cannot be opened.
    """

    def __init__(
        self,
        store: CredentialStore,
        cipher: Cipher,
        *,
        environment: Sequence[GitHubLogin] = (),
        api_url: str = "https://api.github.com",
        installation_token: InstallationToken | None = None,
    ) -> None:
        self._store, self._cipher = store, cipher
        self._environment = environment
        self._github_host = github_host(api_url)
        self._installation_token = installation_token

    async def for_git(self, project: Project) -> Credential | None:
        """What fetches the project's repository, if anything does; only ever over https."""
        parts = urlsplit(project.repo_url)
        if parts.scheme != "https":
            return None
        host = host_of(project.repo_url)
        async for found in self._candidates(project, host, FOR_GIT):
            credential = await self._as_credential(found, project, host)
            if credential is not None:
                return credential
        return None

    async def for_github(self, project: Project) -> GitHubLogin | None:
        """What talks to GitHub's API about the project, if anything does: an App before a token."""
        if self._github_host is None:
            return None
        async for found in self._candidates(project, self._github_host, FOR_GITHUB):
            if not isinstance(found, Credential):
                return found
        return None

    async def any_for_github(self, project: Project) -> bool:
        """Whether `for_github` would find something, or fail over it; nothing is opened."""
        host = self._github_host
        if host is None or self._environment:
            return host is not None
        return bool(await self._store.usable(project.id, project.org_id, host, FOR_GITHUB))

    async def _candidates(
        self, project: Project, host: str, kinds: Sequence[Kind]
    ) -> AsyncIterator[GitHubLogin | Credential]:
        for sealed in await self._store.usable(project.id, project.org_id, host, kinds):
            yield self._opened(sealed)
        for login in self._environment if host == self._github_host else ():
            yield login

    def _opened(self, sealed: SealedCredential) -> GitHubLogin | Credential:
        label = sealed.label
        try:
            content = self._cipher.open(label, sealed.sealed)
        except Unopenable as error:
            raise PermanentError(f"{error.message}.") from None
        return _READ[label.kind](content)

    async def _as_credential(
        self, found: GitHubLogin | Credential, project: Project, host: str
    ) -> Credential | None:
        match found:
            case TokenLogin():
                return Credential(TOKEN_USER, found.token)
            case AppLogin():
                return await self._of_app(found, project, host)
            case _:
                return found

    async def _of_app(self, login: AppLogin, project: Project, host: str) -> Credential | None:
        if self._installation_token is None or host != self._github_host:
            return None
        token = await self._installation_token(login, project.repository)
        return Credential(TOKEN_USER, token) if token else None


_READ: dict[Kind, Callable[[dict[str, str]], GitHubLogin | Credential]] = {
    "git": lambda content: Credential(content["username"], content["secret"]),
    "github-token": lambda content: TokenLogin(content["secret"]),
    "github-app": lambda content: AppLogin(content["appId"], content["secret"]),
}


def host_of(url: str) -> str:
    """The host of an address in lower case, with its port unless that is the usual one."""
    parts = urlsplit(url)
    name = (parts.hostname or "").lower()
    return name if parts.port in (None, 443) else f"{name}:{parts.port}"


def github_host(api_url: str) -> str | None:
    """The host whose repositories an API address serves; None where no secret may go over it."""
    parts = urlsplit(api_url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        return None
    return "github.com" if parts.hostname == "api.github.com" else host_of(api_url)
