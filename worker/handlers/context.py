"""What a handler may use: opened once a process, handed to each attempt."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from worker.artifacts.store import ArtifactStore
from worker.errors import PermanentError
from worker.git import Credential, Mirrors
from worker.jobs.housekeeping import Housekeeping
from worker.jobs.model import Project, StartedJob
from worker.jobs.progress import Progress


@dataclass(frozen=True, slots=True)
class Context:
    """One attempt's surroundings. `progress(40, "parsing")` may be called at any rate."""

    job: StartedJob
    mirrors: Mirrors
    artifacts: ArtifactStore
    credentials: "Credentials"
    housekeeping: Housekeeping
    progress: Progress

    @property
    def project(self) -> Project:
        """The enrolled project that the job is about. The engine has checked that it exists."""
        if self.job.project is None:
            raise PermanentError("this kind of job needs a project")
        return self.job.project


class Credentials:
    """Which credential goes to which remote: the token only to the host it was issued for."""

    def __init__(self, token: str | None, host: str = "github.com") -> None:
        self._credential = Credential("x-access-token", token) if token else None
        self._host = host

    def for_url(self, url: str) -> Credential | None:
        """The credential for a remote, if there is one; never over anything but https."""
        parts = urlsplit(url)
        trusted = parts.scheme == "https" and parts.hostname == self._host
        return self._credential if trusted else None


@dataclass(frozen=True, slots=True)
class Resources:
    """What lives as long as the process."""

    mirrors: Mirrors
    artifacts: ArtifactStore
    credentials: Credentials
    housekeeping: Housekeeping

    def context(self, job: StartedJob, progress: Progress) -> Context:
        """The surroundings of one attempt."""
        return Context(
            job, self.mirrors, self.artifacts, self.credentials, self.housekeeping, progress
        )

    async def close(self) -> None:
        """End what was opened."""
        await self.mirrors.close()
