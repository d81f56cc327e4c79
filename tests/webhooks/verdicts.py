"""A project with documents, conflicts and gates in the record, as scans and jobs leave them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.webhooks.service import Service
from worker.jobs.ids import new_id

FIRST, SECOND = "1" * 40, "2" * 40


@dataclass(frozen=True)
class Judged:
    """A project of the service's, and what is recorded of it."""

    service: Service
    id: UUID

    @classmethod
    async def enrolled(cls, service: Service) -> "Judged":
        """A new project."""
        body = await service.enrol(f"judged/{new_id().hex}")
        return cls(service, UUID(body["id"]))

    @property
    def path(self) -> str:
        """Its address."""
        return f"/api/projects/{self.id}"

    async def get(self, path: str, status: int = 200) -> Any:
        """What the service answers below the project's address."""
        answer = await self.service.call("GET", f"{self.path}{path}")
        assert answer.status == status, answer.text
        return answer.body

    async def run(self, sql: str, *arguments: Any) -> None:
        """A statement whose first argument is the project."""
        await self.service.resources.pool.execute(sql, self.id, *arguments)

    async def scanned(self, commit: str = SECOND, branch: str = "main") -> UUID:
        """A scan of a branch, by this job."""
        job_id = new_id()
        await self.run(
            """INSERT INTO scans (project_id, branch, commit_sha, tree_sha, parser_version, job_id)
               VALUES ($1, $2, $3, $3, 2, $4)
               ON CONFLICT (project_id, branch) DO UPDATE SET commit_sha = $3, job_id = $4""",
            branch, commit, job_id,
        )  # fmt: skip
        return job_id

    async def document(
        self, path: str, blob: str, kind: str, identifier: str, *, branch: str = "main",
        commit: str = SECOND, stands: bool = True, **record: Any,
    ) -> None:  # fmt: skip
        """A document that had this content from a commit on, and still has it if it `stands`."""
        full = {
            "id": identifier, "kind": kind, "subtype": "bmad6", "path": path, "blobSha": blob,
            "title": f"About {identifier}",
        } | record  # fmt: skip
        await self.run(
            """INSERT INTO artifacts (project_id, path, blob_sha, parser_version, kind, identifier,
                                      title, status, record)
               VALUES ($1, $2, $3, 2, $4, $5, $6, $7, $8)""",
            path, blob, kind, identifier, full["title"], record.get("status"), full,
        )  # fmt: skip
        await self.run(
            """INSERT INTO artifact_history (project_id, branch, path, blob_sha, commit_sha, job_id)
               VALUES ($1, $2, $3, $4, $5, $6)""",
            branch, path, blob, commit, new_id(),
        )  # fmt: skip
        if stands:
            await self.run(
                "INSERT INTO branch_artifacts VALUES ($1, $2, $3, $4)", branch, path, blob
            )

    async def removed(self, path: str, commit: str, branch: str = "main") -> None:
        """The history of a document that a commit took away."""
        await self.run(
            """INSERT INTO artifact_history (project_id, branch, path, commit_sha, job_id)
               VALUES ($1, $2, $3, $4, $5)""",
            branch, path, commit, new_id(),
        )  # fmt: skip

    async def checked(self, commit: str = SECOND, branch: str = "main") -> None:
        """A comparison of a branch."""
        await self.run(
            """INSERT INTO conflict_checks (project_id, branch, commit_sha, tree_sha,
                                            parser_version, rules_version, job_id)
               VALUES ($1, $2, $3, $3, 2, 1, $4)""",
            branch, commit, new_id(),
        )  # fmt: skip

    async def conflict(
        self, fingerprint: str, *, severity: str = "error", code: str = "S1", branch: str = "main",
        first: str = SECOND, resolved: str | None = None, suppressed: str | None = None,
        path: str = "docs/a.md",
    ) -> None:  # fmt: skip
        """A conflict with evidence in a document."""
        finding = {
            "code": code, "name": "done-with-open-tasks", "severity": severity,
            "confidence": "high", "key": "story:1.2", "fingerprint": fingerprint,
            "message": "Done, and a task is open.", "expected": None, "actual": "Done",
            "evidence": [{"path": path, "blobSha": "b", "id": "1.2", "line": 3, "endLine": None,
                          "quote": "Status: Done"}],
            "fix": None, "suppressed": suppressed,
        }  # fmt: skip
        await self.run(
            """INSERT INTO conflicts (project_id, branch, fingerprint, code, severity, key, finding,
                   suppressed, first_seen_commit, found_by, last_seen_commit, resolved_commit,
                   resolved_at)
               VALUES ($1, $2, $3, $4, $5, 'story:1.2', $6, $7, $8, $9, $8, $10,
                       CASE WHEN $10::text IS NULL THEN NULL ELSE now() END)""",
            branch, fingerprint, code, severity, finding, suppressed, first, new_id(), resolved,
        )  # fmt: skip

    async def gate(
        self, state: str = "done", verdict: str | None = "pass", *, gate_type: str = "lint",
        story: str | None = None, commit: str = SECOND, branch: str = "main",
        job_state: str | None = None, **evaluation: Any,
    ) -> UUID:  # fmt: skip
        """An evaluation, with its job if that has a state."""
        job_id = new_id()
        full = {"gateType": gate_type, "verdict": verdict, "reason": "All is well."} | evaluation
        await self.run(
            """INSERT INTO gate_evaluations (job_id, project_id, gate_type, story, branch,
                   commit_sha, sender, state, verdict, evaluation, finished_at)
               VALUES ($2, $1, $3, $4, $5, $6, 'ann', $7, $8, $9,
                       CASE WHEN $8::text IS NULL THEN NULL ELSE now() END)""",
            job_id, gate_type, story, branch, commit, state, verdict, full if verdict else None,
        )  # fmt: skip
        if job_state:
            await self.job(job_id, job_state, gate_type)
        return job_id

    async def job(self, job_id: UUID, state: str, gate_type: str = "lint") -> None:
        """The job of an evaluation."""
        payload = {"projectId": str(self.id), "gateType": gate_type, "commitSha": SECOND}
        await self.run(
            """INSERT INTO jobs (id, queue, kind, project_id, payload, state, max_attempts, worker,
                                 finished_at, superseded_by)
               VALUES ($2, 'gate-evaluation', 'gate_evaluation', $1, $3, $4, 3,
                   CASE WHEN $4 = 'running' THEN 'w' END,
                   CASE WHEN $4 IN ('queued', 'running', 'retrying') THEN NULL ELSE now() END,
                   CASE WHEN $4 = 'superseded' THEN gen_random_uuid() END)""",
            job_id, payload, state,
        )  # fmt: skip
