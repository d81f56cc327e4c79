"""Commit statuses: what the owner of a token may show at a commit, in one line."""

from typing import Literal

from worker.github.api import Repository
from worker.github.markdown import line
from worker.github.record import Claim
from worker.github.shown import Conclusion, Shown, digest

MOST_CHARACTERS = 140
StatusState = Literal["pending", "success", "failure", "error"]
STATES: dict[Conclusion, StatusState] = {
    "success": "success",
    "failure": "failure",
    "timed_out": "failure",
    "skipped": "success",
    "cancelled": "error",
    # A status knows no neutral. What proved nothing must not look like a pass …
    "neutral": "error",
    "action_required": "pending",
}


def status_of(claim: Claim, shown: Shown) -> dict[str, str]:
    """The body of the status: state, description, context."""
    return {
        "state": _state(claim, shown),
        # While it is open there is one text, so that each change of it need not be told.
        "description": line(shown.title if shown.conclusion else "under way", MOST_CHARACTERS),
        "context": claim.place.name,
    }


def status_digest(claim: Claim, shown: Shown) -> str:
    """What changes when another status has to be sent."""
    return digest(["status", status_of(claim, shown)])


async def send_status(repository: Repository, claim: Claim, shown: Shown) -> None:
    """Add a status to the commit, unless one that nobody knows the end of has done so."""
    status = status_of(claim, shown)
    if not claim.uncertain or not await _is_there(repository, claim, status):
        await repository.call("POST", f"/statuses/{claim.place.commit_sha}", body=status)


def _state(claim: Claim, shown: Shown) -> StatusState:
    if shown.conclusion is None:
        return "pending"
    # … but conflicts that are not new, or mere warnings, are no reason to hold a commit up.
    if shown.conclusion == "neutral" and claim.conflicts is not None:
        return "success"
    return STATES[shown.conclusion]


async def _is_there(repository: Repository, claim: Claim, status: dict[str, str]) -> bool:
    listed = await repository.call(
        "GET", f"/commits/{claim.place.commit_sha}/statuses", {"per_page": "100"}
    )
    latest = next((s for s in listed.data if s["context"] == status["context"]), None)
    return latest is not None and all(latest[key] == value for key, value in status.items())
