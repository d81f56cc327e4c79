"""Read the documents of a pushed commit: only what differs from the last scanned tree."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from worker.artifacts import PARSER_VERSION, classify, parse
from worker.artifacts.model import Artifact
from worker.artifacts.store import BaseMoved, Document, LastScan, Outdated, Scan
from worker.errors import TransientError
from worker.git import Blob, Snapshot, branch_ref
from worker.handlers.context import Context
from worker.handlers.registry import REGISTRY
from worker.handlers.snapshots import fetch_snapshot
from worker.jobs.model import Completed, Outcome
from worker.jobs.payloads import ArtifactScan, ConflictDetection

LARGEST_DOCUMENT = 2 * 1024 * 1024
KEPT_AT_ONCE = 200
# Another scan of the branch can be recorded between reading and saving; four in a row cannot.
TRIES = 4
_LINK = "120000"


@dataclass(frozen=True, slots=True)
class Differences:
    """What changed since `base`, the tree it was compared with (None: compared with nothing)."""

    base: str | None
    documents: Sequence[Document]
    removed: Sequence[str]


@REGISTRY.handles(ArtifactScan, queue="artifact-scan")
async def artifact_scan(job: ArtifactScan, ctx: Context) -> Outcome:
    """Scan the pushed commit. Safe to run twice: artifacts are keyed by project, path and blob."""
    try:
        await _check_order(job, ctx)
        ctx.progress(5, "fetching the commit")
        snapshot = await fetch_snapshot(ctx, job.commit_sha, branch_ref(job.branch))
        return await _scan_until_saved(job, snapshot, ctx)
    except Outdated:
        return Completed("a newer push was scanned already", artifacts_scanned=0)


async def _check_order(job: ArtifactScan, ctx: Context) -> None:
    # Before fetching, as a commit that a forced push has removed may not be there any more.
    last, order = await ctx.artifacts.last_scan(job.project_id, job.branch), ctx.job.lane_order
    if last and last.lane_order is not None and order is not None and last.lane_order > order:
        raise Outdated


async def _scan_until_saved(job: ArtifactScan, snapshot: Snapshot, ctx: Context) -> Outcome:
    for _ in range(TRIES):
        with suppress(BaseMoved):
            return await _scan(job, snapshot, ctx)
    raise TransientError(f"branch {job.branch} kept changing while it was scanned")


async def _scan(job: ArtifactScan, snapshot: Snapshot, ctx: Context) -> Outcome:
    last = await ctx.artifacts.last_scan(job.project_id, job.branch)
    follows = await _follows(job, snapshot, last, ctx)
    found = await _differences(snapshot, last)
    known = await ctx.artifacts.known(job.project_id, found.documents, PARSER_VERSION)
    unread = [d for d in found.documents if d not in known]
    await _read_and_keep(job, snapshot, unread, ctx)
    ctx.progress(90, "saving")
    total = await ctx.artifacts.save(
        Scan(
            job.project_id, job.branch, snapshot.commit, snapshot.tree, PARSER_VERSION, ctx.job.id,
            found.base, found.documents, found.removed, ctx.job.lane_order, follows,
        )
    )  # fmt: skip
    await ctx.jobs.add(
        ConflictDetection(project_id=job.project_id, branch=job.branch, commit_sha=snapshot.commit),
        f"conflicts:{ctx.job.id}:{ctx.job.attempt}",
    )
    return Completed(
        f"documents read: {len(unread)}", artifacts_scanned=total, documents_read=len(unread),
        paths_read=[d.path for d in unread[:50]], commit_sha=snapshot.commit, branch=job.branch,
    )  # fmt: skip


async def _follows(
    job: ArtifactScan, snapshot: Snapshot, last: LastScan | None, ctx: Context
) -> UUID | None:
    """The last scan's job, if its push has the same time as ours and ours came after it.

    Raises Outdated if ours came before.
    """
    if last is None or last.lane_order is None or last.lane_order != ctx.job.lane_order:
        return None
    shared = await snapshot.common_ancestor(last.commit_sha)
    if shared == last.commit_sha:
        return last.job_id
    # A forced push may go back to a commit that is behind the one before it.
    behind = shared == snapshot.commit and not job.forced
    if behind or last.job_id > ctx.job.id:
        raise Outdated
    return last.job_id


async def _differences(snapshot: Snapshot, last: LastScan | None) -> Differences:
    # A newer parser may recognise documents that an older one passed over: it lists everything.
    if last is not None and last.parser_version == PARSER_VERSION:
        changes = await snapshot.changes(last.tree_sha)
        if changes is not None:
            return Differences(
                last.tree_sha,
                [Document(c.path, c.sha) for c in changes if c.sha and _readable(c.path, c.mode)],
                [c.path for c in changes if not (c.sha and _readable(c.path, c.mode))],
            )
    entries = await snapshot.entries()
    return Differences(
        None, [Document(e.path, e.sha) for e in entries if _readable(e.path, e.mode)], []
    )


def _readable(path: str, mode: str | None) -> bool:
    return mode != _LINK and classify(path) is not None


async def _read_and_keep(
    job: ArtifactScan, snapshot: Snapshot, unread: Sequence[Document], ctx: Context
) -> None:
    paths: dict[str, list[Document]] = {}
    for document in unread:
        paths.setdefault(document.blob_sha, []).append(document)
    read, batch = 0, list[tuple[Document, Artifact | None]]()
    blobs: AsyncIterator[Blob] = snapshot.read(paths, max_bytes_each=LARGEST_DOCUMENT)
    async for blob in blobs:
        batch += [(d, _parse(d, blob)) for d in paths[blob.sha]]
        read += len(paths[blob.sha])
        ctx.progress(20 + 70 * read // len(unread), f"read {read} of {len(unread)} documents")
        if len(batch) >= KEPT_AT_ONCE:
            await ctx.artifacts.keep(job.project_id, PARSER_VERSION, batch)
            batch = []
    await ctx.artifacts.keep(job.project_id, PARSER_VERSION, batch)


def _parse(document: Document, blob: Blob) -> Artifact | None:
    return None if blob.data is None else parse(document.path, document.blob_sha, blob.data)
