"""Compare the documents of a branch: what changed since last time, and what that touches."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from worker.artifacts.model import Artifact
from worker.conflicts.checking import RULES_VERSION, Keys, affected, check, widened
from worker.conflicts.ignores import NAME as IGNORING
from worker.conflicts.ignores import Ignores
from worker.conflicts.model import Finding
from worker.conflicts.store import BaseMoved, Changed, Checked, Standing
from worker.conflicts.world import TreeWorld
from worker.errors import TransientError
from worker.git import Snapshot, branch_ref
from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.handlers.snapshots import fetch_snapshot
from worker.jobs.model import Completed, Outcome
from worker.jobs.payloads import ConflictDetection

# Another comparison of the branch can be recorded meanwhile; four in a row cannot.
TRIES = 4
TOLD_AT_ONCE = 100
"""Of how many new conflicts each has an event of its own; the job's result counts them all."""

REPORT = "switchyard/conflicts"
LARGEST_IGNORING = 256 * 1024
MANY = 100


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be compared: the changed documents, and the groups (None: all)."""

    changed: Sequence[Changed]
    members: Sequence[Artifact]
    keys: Collection[str] | None
    known: Keys


@REGISTRY.handles(ConflictDetection, queue="conflict-detection")
async def conflict_detection(job: ConflictDetection, ctx: Context) -> Outcome:
    """Compare a branch as it was last scanned. Safe to run twice: the record says what is new."""
    for _ in range(TRIES):
        standing = await ctx.conflicts.standing(job.project_id, job.branch)
        if standing is None:
            return Completed("nothing was scanned yet", new=0, persisting=0, resolved=0)
        with suppress(BaseMoved):
            return await _compare(job, standing, ctx)
    raise TransientError(f"branch {job.branch} kept changing while it was compared")


async def _compare(job: ConflictDetection, standing: Standing, ctx: Context) -> Outcome:
    await ctx.reports.begin(job.project_id, standing.commit_sha, REPORT, ctx.job.id)
    snapshot = await fetch_snapshot(ctx, standing.commit_sha, branch_ref(standing.branch))
    ctx.progress(20, "comparing documents")
    comparison = await _comparison(job, standing, snapshot, ctx)
    findings = await _findings(job, comparison, snapshot, ctx)
    ctx.progress(80, "recording")
    resolved = await ctx.conflicts.save(_checked(job, standing, comparison, findings, ctx))
    await ctx.reports.touch(job.project_id, standing.commit_sha, REPORT, ctx.job.id)
    return await _outcome(job, standing, resolved, ctx)


async def _comparison(
    job: ConflictDetection, standing: Standing, snapshot: Snapshot, ctx: Context
) -> Comparison:
    known = Keys()
    differ = await _differ(job, standing, snapshot)
    if differ is None:
        everything = await ctx.conflicts.everything(job.project_id, standing.branch)
        return Comparison(everything, [c.artifact for c in everything if c.artifact], None, known)
    changed = await ctx.conflicts.changed(job.project_id, standing.branch)
    old_keys = {key for c in changed for key in c.keys}
    if job.artifact_ids:
        old_keys |= await ctx.conflicts.keys_of(job.project_id, standing.branch, job.artifact_ids)
    new_keys = {key for c in changed if c.artifact for key in known.of(c.artifact)}
    stayed = {c.path for c in changed if c.keys and c.blob_sha}
    keys = affected(old_keys, new_keys, differ - stayed, job.story_ids or ())
    return await _with_members(job, standing, changed, keys, known, ctx)


async def _with_members(
    job: ConflictDetection,
    standing: Standing,
    changed: Sequence[Changed],
    keys: frozenset[str],
    known: Keys,
    ctx: Context,
) -> Comparison:
    """With all members of the groups, and of those further ones that allowed conflicts need."""
    members = await _members(job, standing, changed, keys, ctx)
    wider = widened(keys, members)
    if wider != keys:
        members = await _members(job, standing, changed, wider, ctx)
    return Comparison(changed, members, wider, known)


async def _members(
    job: ConflictDetection,
    standing: Standing,
    changed: Sequence[Changed],
    keys: Collection[str],
    ctx: Context,
) -> list[Artifact]:
    paths, fresh = [c.path for c in changed], [c.artifact for c in changed if c.artifact]
    others = await ctx.conflicts.members(job.project_id, standing.branch, keys, paths)
    return [*fresh, *others]


async def _differ(
    job: ConflictDetection, standing: Standing, snapshot: Snapshot
) -> frozenset[str] | None:
    """The paths that differ from the last comparison; None to compare everything."""
    base = standing.base
    by_hand = not (job.commit_sha or job.artifact_ids or job.story_ids)
    if by_hand or base is None:
        return None
    if (base.parser_version, base.rules_version) != (standing.parser_version, RULES_VERSION):
        return None
    changes = await snapshot.changes(base.tree_sha)
    # What git ignores has no key of its own.
    if changes is None or any(c.path.rpartition("/")[2] == IGNORING for c in changes):
        return None
    return frozenset(change.path for change in changes)


async def _findings(
    job: ConflictDetection, comparison: Comparison, snapshot: Snapshot, ctx: Context
) -> list[Finding]:
    paths = await snapshot.paths()
    stories = {a.story for a in comparison.members if a.story} | set(job.story_ids or ())
    verdicts = await ctx.conflicts.verdicts(job.project_id, stories)
    if comparison.keys is not None:
        quick = _QuickWorld(paths, None, verdicts)
        findings = _check(comparison, quick)
        if not quick.asked:
            return findings
    ignoring = [path for path in paths if path.rpartition("/")[2] == IGNORING]
    ignores = Ignores(await snapshot.texts(ignoring, max_bytes_each=LARGEST_IGNORING))
    world = TreeWorld(paths, await snapshot.paths_ever(), verdicts, ignores)
    if len(comparison.members) < MANY:
        return _check(comparison, world)
    # So that the process stays alive to the others.
    return await asyncio.to_thread(_check, comparison, world)


def _check(comparison: Comparison, world: TreeWorld) -> list[Finding]:
    return check(comparison.members, world, comparison.keys, known=comparison.known)


class _QuickWorld(TreeWorld):
    """Notes whether a rule asked for what takes long to read: the history, and what is ignored."""

    asked = False

    def ever_existed(self, path: str) -> bool | None:
        known = super().ever_existed(path)
        self.asked = self.asked or known is None
        return known

    def ignored(self, path: str) -> bool | None:
        known = super().ignored(path)
        self.asked = self.asked or known is None
        return known


def _checked(
    job: ConflictDetection,
    standing: Standing,
    comparison: Comparison,
    findings: Sequence[Finding],
    ctx: Context,
) -> Checked:
    documents = [
        (c.path, c.blob_sha, comparison.known.of(c.artifact) if c.artifact else ())
        for c in comparison.changed
        if c.blob_sha
    ]
    return Checked(
        job.project_id, standing.branch, standing.commit_sha, standing.tree_sha,
        standing.parser_version, RULES_VERSION, ctx.job.id, standing.base, comparison.keys,
        documents, [c.path for c in comparison.changed if not c.blob_sha], findings,
    )  # fmt: skip


async def _outcome(
    job: ConflictDetection, standing: Standing, resolved: int, ctx: Context
) -> Completed:
    found = (job.project_id, standing.branch, ctx.job.id)
    counts = await ctx.conflicts.counts(*found)
    fresh = await ctx.conflicts.fresh(*found, TOLD_AT_ONCE) if counts.new else []
    return Completed(
        f"conflicts: {counts.new} new, {counts.persisting} persisting, {resolved} resolved",
        events=[("conflict_detected", _told(f, standing)) for f in fresh],
        new=counts.new, persisting=counts.persisting, resolved=resolved,
        errors=counts.by_severity.get("error", 0), warnings=counts.by_severity.get("warning", 0),
        infos=counts.by_severity.get("info", 0), branch=standing.branch,
        commit_sha=standing.commit_sha,
    )  # fmt: skip


def _told(finding: Finding, standing: Standing) -> dict[str, Any]:
    return finding.model_dump(mode="json", exclude={"key", "suppressed"}) | {
        "branch": standing.branch,
        "commitSha": standing.commit_sha,
    }
