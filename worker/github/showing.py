"""From the record to what GitHub is to show: pure, and the same whoever asks."""

from dataclasses import replace

from worker.github.contradictions import show_conflicts
from worker.github.gates import show_gate
from worker.github.markdown import cut, escaped, line
from worker.github.record import CONFLICTS, Claim, Conflicts, Job
from worker.github.shown import Shown, completed

_LONGEST_TITLE = 200


def shown(claim: Claim) -> Shown:
    """What the record says now. What a job has found out stands, however the job ended."""
    return replace(_found(claim) or _of_job(claim.job), started_at=claim.job.started_at)


def _found(claim: Claim) -> Shown | None:
    if claim.place.name == CONFLICTS:
        return _found_conflicts(claim.job, claim.conflicts)
    if claim.gate is not None and claim.gate.state in ("done", "awaiting_approval"):
        return show_gate(claim.place.gate, claim.gate)
    return None


def _found_conflicts(job: Job, conflicts: Conflicts | None) -> Shown | None:
    if conflicts is None:
        return None
    # Another job has compared this commit: that counts once this one has nothing to add.
    settled = conflicts.own or job.state in ("completed", None)
    return show_conflicts(conflicts) if settled else None


def _of_job(job: Job) -> Shown:
    match job.state:
        case "queued":
            return Shown("queued", "waiting", "Waiting for a worker.")
        case "running" | "retrying":
            return _running(job)
        case "completed":
            return completed("neutral", "nothing to report", _sentence(job.message))
        case "dead":
            return completed("failure", _could_not(job), _sentence(job.error))
        case "superseded":
            return completed("cancelled", "superseded", "A newer push has made this pointless.")
        case "cancelled":
            return completed("cancelled", "cancelled", _sentence(job.error))
        case _:
            return completed("cancelled", "not known", "The record of this run has been deleted.")


def _running(job: Job) -> Shown:
    if not job.failures:
        return Shown("in_progress", "under way", "A worker is busy with it.")
    return Shown("in_progress", "trying again", f"Failed attempts so far: {job.failures}.")


def _could_not(job: Job) -> str:
    return line(f"could not be evaluated: {job.error or 'no reason is known'}", _LONGEST_TITLE)


def _sentence(text: str | None) -> str:
    return cut(escaped(text or "No reason is known."))
