"""Check runs: what an App shows at a commit, with annotations at the lines of its files."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.github.api import Repository
from worker.github.record import Claim
from worker.github.shown import Annotation, Shown, content_of, digest

MOST_ANNOTATIONS = 50
"""GitHub takes no more in one request; each further request adds to them."""


@dataclass(frozen=True, slots=True)
class Found:
    """A check run as GitHub has it."""

    id: int
    completed: bool
    annotations: int


def check_digest(claim: Claim, shown: Shown) -> str:
    """What changes when the check run has to."""
    return digest(["check", claim.external_id, content_of(shown)])


async def send_check(
    repository: Repository,
    claim: Claim,
    shown: Shown,
    created: Callable[[int], Awaitable[None]],
) -> int:
    """Bring the claim's check run up to date; answers its id.

    Tells `created` the id of a new one at once. What an attempt before this one has sent, be its
    answer lost, is not sent twice.
    """
    found = await _known(repository, claim)
    if found is not None and found.completed and shown.state != "completed":
        # GitHub does not reopen a completed check run.
        found = None
    first, *rest = _portions(shown.annotations[found.annotations if found else 0 :])
    if found is None:
        run = await _create(repository, claim, shown, first)
        await created(run)
    else:
        run = found.id
        await repository.call("PATCH", f"/check-runs/{run}", body=_body(claim, shown, first))
    # The conclusion came with the first of them: whatever happens now, the run is not left open.
    for portion in rest:
        await repository.call("PATCH", f"/check-runs/{run}", body=_body(claim, shown, portion))
    return run


async def _known(repository: Repository, claim: Claim) -> Found | None:
    """The check run as it was left: open. GitHub is asked only if nobody knows."""
    if claim.uncertain:
        return await _looked_up(repository, claim)
    if claim.check_run_id is None:
        return None
    return Found(claim.check_run_id, False, 0)


async def _looked_up(repository: Repository, claim: Claim) -> Found | None:
    """The check run that is known, or one that was made without its answer arriving."""
    if claim.check_run_id is not None:
        run = (await repository.call("GET", f"/check-runs/{claim.check_run_id}")).data
        return _found(run) if run["external_id"] == claim.external_id else _bare(run)
    query = {"check_name": claim.place.name, "filter": "all", "per_page": "100"}
    listed = await repository.call("GET", f"/commits/{claim.place.commit_sha}/check-runs", query)
    ours = [r for r in listed.data["check_runs"] if r["external_id"] == claim.external_id]
    return _found(max(ours, key=lambda r: int(r["id"]))) if ours else None


def _found(run: dict[str, Any]) -> Found:
    count = (run.get("output") or {}).get("annotations_count") or 0
    return Found(run["id"], run["status"] == "completed", count)


def _bare(run: dict[str, Any]) -> Found | None:
    """One of an earlier job, to be taken over if it is open still: an open one has no remarks."""
    return None if run["status"] == "completed" else Found(run["id"], False, 0)


async def _create(
    repository: Repository, claim: Claim, shown: Shown, annotations: Sequence[Annotation]
) -> int:
    body = _body(claim, shown, annotations) | {"head_sha": claim.place.commit_sha}
    return int((await repository.call("POST", "/check-runs", body=body)).data["id"])


def _body(claim: Claim, shown: Shown, annotations: Sequence[Annotation]) -> dict[str, Any]:
    output: dict[str, Any] = {"title": shown.title, "summary": shown.summary}
    if shown.text:
        output["text"] = shown.text
    if annotations:
        output["annotations"] = [_annotation(a) for a in annotations]
    body: dict[str, Any] = {
        "name": claim.place.name,
        "external_id": claim.external_id,
        "status": shown.state,
        "output": output,
    }
    if shown.started_at is not None:
        body["started_at"] = _moment(shown.started_at)
    if shown.conclusion is not None:
        body["conclusion"] = shown.conclusion
    return body


def _annotation(annotation: Annotation) -> dict[str, Any]:
    body: dict[str, Any] = {
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.end_line,
        "annotation_level": annotation.level,
        "message": annotation.message,
    }
    if annotation.title:
        body["title"] = annotation.title
    if annotation.column is not None:
        body |= {"start_column": annotation.column, "end_column": annotation.column}
    return body


def _portions(annotations: Sequence[Annotation]) -> list[Sequence[Annotation]]:
    """At least one, be it empty."""
    starts = range(0, max(1, len(annotations)), MOST_ANNOTATIONS)
    return [annotations[i : i + MOST_ANNOTATIONS] for i in starts]


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
