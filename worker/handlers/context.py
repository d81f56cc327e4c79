"""What a handler may use: opened once a process, handed to each attempt."""

from dataclasses import dataclass
from functools import cached_property

from worker.artifacts.store import ArtifactStore
from worker.conflicts.store import ConflictStore
from worker.credentials import Credentials
from worker.errors import PermanentError
from worker.gates.running import GateRunner
from worker.gates.store import GateStore
from worker.git import Mirrors
from worker.github.api import GitHub
from worker.github.missing import MissedDeliveries
from worker.github.reports import Reports
from worker.github.store import ReportStore
from worker.jobs.following import Following, FollowUps
from worker.jobs.housekeeping import Housekeeping
from worker.jobs.model import Project, StartedJob
from worker.jobs.progress import Progress
from worker.outgoing.delivering import Deliveries
from worker.outgoing.history import OutgoingHistory
from worker.outgoing.pacing import Pace
from worker.outgoing.probing import Prober
from worker.outgoing.sending import Sender
from worker.tenants.actions import AutomaticActions
from worker.tenants.audit.recording import AuditLog
from worker.tenants.notifications.letters import Email
from worker.tenants.notifications.store import Notifications
from worker.tenants.periods.rollover import Rollover
from worker.tenants.periods.summaries import Summaries
from worker.tenants.usage.store import UsageStore


@dataclass(frozen=True)
class Resources:
    """What lives as long as the process."""

    mirrors: Mirrors
    artifacts: ArtifactStore
    conflicts: ConflictStore
    credentials: Credentials
    housekeeping: Housekeeping
    follow_ups: FollowUps
    github: GitHub
    github_reports: ReportStore
    missed_deliveries: MissedDeliveries
    gates: GateStore
    gate_runner: GateRunner
    notifications: Notifications
    email: Email
    audit: AuditLog
    actions: AutomaticActions
    usage: UsageStore
    rollover: Rollover
    summaries: Summaries
    sender: Sender
    deliveries: Deliveries
    prober: Prober
    outgoing: OutgoingHistory
    pace: Pace

    def context(self, job: StartedJob, progress: Progress) -> "Context":
        """The surroundings of one attempt."""
        return Context(**vars(self), job=job, progress=progress)

    async def close(self) -> None:
        """End what was opened."""
        await self.mirrors.close()
        await self.github.close()
        await self.email.close()
        await self.sender.close()


@dataclass(frozen=True)
class Context(Resources):
    """One attempt's surroundings. `progress(40, "parsing")` may be called at any rate."""

    job: StartedJob
    progress: Progress

    @property
    def project(self) -> Project:
        """The enrolled project that the job is about. The engine has checked that it exists."""
        if self.job.project is None:
            raise PermanentError("this kind of job needs a project")
        return self.job.project

    @cached_property
    def jobs(self) -> Following:
        """Makes jobs that follow from this one."""
        return Following(self.job, self.follow_ups)

    @cached_property
    def reports(self) -> Reports:
        """Has GitHub shown what this job finds out."""
        return Reports(self.github_reports, self.jobs, self._has_github_login)

    async def _has_github_login(self) -> bool:
        return await self.credentials.any_for_github(self.project)
