"""The commit that a handler works on, from the mirror of its project."""

import time

from worker.git import Snapshot
from worker.handlers.context import Context
from worker.metrics import EXTERNAL_DURATION


async def fetch_snapshot(ctx: Context, commit: str, ref: str | None) -> Snapshot:
    """The commit, fetched unless the mirror has it. Raises the errors of worker.git."""
    # The enrolled address: the one in a payload tells people, and git nothing.
    project, started, outcome = ctx.project, time.monotonic(), "failed"
    try:
        snapshot = await ctx.mirrors.fetch(
            str(project.id),
            project.repo_url,
            commit,
            ref=ref,
            credential=await ctx.credentials.for_git(project),
        )
        outcome = "completed"
        return snapshot
    finally:
        EXTERNAL_DURATION.labels("git", outcome).observe(time.monotonic() - started)
