"""Running the scan of a pushed commit, and what it should have found."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from tests.git.origins import Origin
from worker.artifacts import classify, parse
from worker.artifacts.store import ArtifactStore
from worker.conflicts.store import ConflictStore
from worker.credentials import Cipher, Credentials, CredentialStore
from worker.database.pool import Pool
from worker.gates.running import GateRunner
from worker.gates.store import GateStore
from worker.git import Mirrors
from worker.github.api import GitHub
from worker.github.missing import MissedDeliveries
from worker.github.store import ReportStore
from worker.handlers.artifact_scan import artifact_scan
from worker.handlers.conflict_detection import conflict_detection
from worker.handlers.context import Context, Resources
from worker.jobs.following import FollowUps
from worker.jobs.housekeeping import Housekeeping
from worker.jobs.ids import new_id
from worker.jobs.model import Completed, StartedJob
from worker.jobs.payloads import ArtifactScan, ConflictDetection
from worker.jobs.projects import Projects
from worker.jobs.queues import QUEUES
from worker.outgoing.delivering import Deliveries
from worker.outgoing.history import OutgoingHistory
from worker.outgoing.pacing import Pace
from worker.outgoing.probing import Prober
from worker.outgoing.sending import Sender
from worker.tenants.actions import AutomaticActions
from worker.tenants.audit.recording import AuditLog
from worker.tenants.notifications.letters import NoEmail
from worker.tenants.notifications.store import Notifications
from worker.tenants.periods.rollover import Rollover
from worker.tenants.periods.summaries import Summaries
from worker.tenants.usage.store import UsageStore

_NUMBERS = itertools.count(1)

Found = dict[str, dict[str, Any]]


def story(number: str, status: str = "Draft", tasks: str = "- [ ] Task 1: Do it (AC: 1)") -> bytes:
    """A small story document."""
    return f"""# Story {number}: Something

## Status

{status}

## Acceptance Criteria

1. It works.

## Tasks / Subtasks

{tasks}
""".encode()


def opened(pool: Pool, redis: Redis, mirrors: Mirrors) -> Resources:
    """What handlers need, without a single credential."""
    credentials, github = Credentials(CredentialStore(pool), Cipher([])), GitHub(redis)
    follow_ups = FollowUps(pool, redis, QUEUES)
    return Resources(
        mirrors=mirrors,
        artifacts=ArtifactStore(pool),
        conflicts=ConflictStore(pool),
        credentials=credentials,
        housekeeping=Housekeeping(pool),
        follow_ups=follow_ups,
        github=github,
        github_reports=ReportStore(pool),
        missed_deliveries=MissedDeliveries(github, credentials, pool, redis),
        gates=GateStore(pool),
        gate_runner=GateRunner(mirrors._root.parent / "scratch"),
        audit=AuditLog(pool),
        actions=AutomaticActions(pool),
        usage=UsageStore(pool, follow_ups),
        rollover=Rollover(pool),
        summaries=Summaries(pool),
        notifications=Notifications(pool),
        email=NoEmail(),
        sender=Sender(),
        deliveries=Deliveries(pool, Cipher([])),
        prober=Prober(pool, Sender(), Cipher([])),
        outgoing=OutgoingHistory(pool),
        pace=Pace(QUEUES["webhooks"].concurrency),
    )


@dataclass
class Scanner:
    """An enrolled project, its origin, and the handler's surroundings."""

    pool: Pool
    mirrors: Mirrors
    origin: Origin
    project_id: UUID
    resources: Resources
    reports: list[tuple[float, str]] = field(default_factory=list)

    @classmethod
    async def enrolled(cls, pool: Pool, redis: Redis, root: Path) -> "Scanner":
        """A new project with an empty origin below `root`."""
        number = next(_NUMBERS)
        origin = Origin(root / f"origin-{number}")
        mirrors = Mirrors(root / f"mirrors-{number}", protocols=["file"], fetch_timeout=20)
        project = await Projects(pool).enrol("P", origin.url, f"example/p{number}", "free", None)
        return cls(pool, mirrors, origin, project.id, opened(pool, redis, mirrors))

    async def scan(
        self,
        commit: str,
        branch: str = "main",
        job_id: UUID | None = None,
        order: int | None = None,
        forced: bool = False,
    ) -> Completed:
        """Run the handler for a push of this commit; `order` is its time in seconds."""
        payload = ArtifactScan(
            project_id=self.project_id,
            repo_url="https://elsewhere.example/not/used.git",
            branch=branch,
            commit_sha=commit,
            webhook_event_id="d",
            forced=forced,
        )
        outcome = await artifact_scan(payload, await self.context(job_id or new_id(), order))
        assert isinstance(outcome, Completed)
        return outcome

    async def compare(
        self, branch: str | None = "main", job_id: UUID | None = None, **fields: Any
    ) -> Completed:
        """Run the handler that compares documents; without fields as after a scan."""
        fields = fields or {"commit_sha": "a" * 40}
        payload = ConflictDetection(project_id=self.project_id, branch=branch, **fields)
        outcome = await conflict_detection(payload, await self.context(job_id or new_id()))
        assert isinstance(outcome, Completed)
        return outcome

    async def conflicts(self, branch: str = "main") -> dict[str, dict[str, Any]]:
        """The open conflicts of a branch by fingerprint, without what tells when they came."""
        rows = await self.pool.fetch(
            "SELECT fingerprint, key, finding FROM conflicts"
            " WHERE project_id = $1 AND branch = $2 AND resolved_at IS NULL",
            self.project_id,
            branch,
        )
        return {row["fingerprint"]: row["finding"] | {"key": row["key"]} for row in rows}

    async def context(self, job_id: UUID, order: int | None = None) -> Context:
        """The surroundings of an attempt."""
        job = StartedJob(
            id=job_id, queue="artifact-scan", kind="artifact_scan", payload={}, attempt=1,
            failures=0, max_attempts=3, project_id=self.project_id, delivery_id=None,
            correlation_id=None, waited=0.0, token="t", worker="w",
            project=await Projects(self.pool).get(self.project_id), lane_order=order,
        )  # fmt: skip
        return self.resources.context(job, self.reported)

    def reported(self, percent: float, message: str = "") -> None:
        """Note what the handler reports."""
        self.reports.append((percent, message))

    async def stored(self, branch: str = "main") -> Found:
        """What the record says of a branch: path → record."""
        rows = await self.pool.fetch(
            """SELECT b.path, a.record FROM branch_artifacts b
               JOIN artifacts a USING (project_id, path, blob_sha)
               WHERE b.project_id = $1 AND b.branch = $2 AND a.kind IS NOT NULL""",
            self.project_id,
            branch,
        )
        return {row["path"]: row["record"] for row in rows}

    def expected(self, commit: str) -> Found:
        """What a full reading of the commit's tree gives, without mirror, store or handler."""
        found = {}
        listing = self.origin.git("ls-tree", "-r", "-z", commit)
        for line in filter(None, listing.split("\0")):
            (mode, _, sha), path = line.partition("\t")[0].split(), line.partition("\t")[2]
            if mode == "100644" and classify(path):
                artifact = parse(path, sha, self._blob(sha))
                if artifact is not None:
                    found[path] = artifact.model_dump(mode="json", by_alias=True)
        return found

    def paths(self, commit: str) -> set[str]:
        """Every path of the commit."""
        return set(self.origin.git("ls-tree", "-r", "--name-only", commit).split())

    def _blob(self, sha: str) -> bytes:
        # Written by the tests themselves, so trailing white space is all that may be lost.
        return (self.origin.git("cat-file", "blob", sha) + "\n").encode()
