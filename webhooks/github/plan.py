"""What a delivery asks for: which project it belongs to, and the jobs it causes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhooks.github.deliveries import Delivery
from webhooks.github.pushes import Push
from worker.jobs.model import NewJob, Project
from worker.jobs.queues import QUEUES, Queue


@dataclass(frozen=True, slots=True)
class Ignored:
    """Understood, and nothing to do; `reason` is a constant in snake_case."""

    reason: str


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Jobs to be recorded together with the delivery."""

    jobs: tuple[NewJob, ...]


Plan = Ignored | Enqueue
PING = Ignored("ping")


def plan(delivery: Delivery, project: Project | None, queues: Mapping[str, Queue] = QUEUES) -> Plan:
    """What to do about a delivery, given the project that `choose_project` found for it."""
    if delivery.event == "ping":
        return PING
    if delivery.event == "push" and delivery.push:
        return _plan_push(delivery.push, delivery, project, queues)
    if delivery.event != "repository":
        return Ignored("unknown_event")
    # Renames need nothing done: a project is matched by GitHub's repository id.
    return Ignored("unhandled_action" if delivery.repository else "no_repository")


def choose_project(
    delivery: Delivery, by_id: Project | None, by_name: Project | None
) -> Project | None:
    """The project a delivery belongs to, of those found by GitHub's repository id and by name.

    The id wins, as it survives renames. A name counts only until the project's id is known:
    another repository may take over a name that was given up.
    """
    if delivery.repository is None:
        return None
    if by_id and by_id.repository_id == delivery.repository_id:
        return by_id
    if by_name is None or by_name.repository_id is not None:
        return None
    return by_name if by_name.repository.lower() == delivery.repository.lower() else None


def _plan_push(
    push: Push, delivery: Delivery, project: Project | None, queues: Mapping[str, Queue]
) -> Plan:
    if project is None:
        return Ignored("repository_not_enrolled")
    if push.branch is None:
        return Ignored("tag_push" if push.tag else "other_ref")
    if push.deleted:
        return Ignored("branch_deleted")
    gates = [_gate(gate, project, push, delivery, queues) for gate in project.gates]
    return Enqueue((_artifact_scan(project, push, delivery, queues), *gates))


def _artifact_scan(
    project: Project, push: Push, delivery: Delivery, queues: Mapping[str, Queue]
) -> NewJob:
    payload = {
        "projectId": str(project.id),
        "repoUrl": project.repo_url,
        "branch": push.branch,
        "commitSha": push.after,
        "webhookEventId": delivery.guid,
    } | ({"forced": True} if push.forced else {})
    return _job("artifact_scan", queues["artifact-scan"], payload, project, push, delivery)


def _gate(
    gate: str, project: Project, push: Push, delivery: Delivery, queues: Mapping[str, Queue]
) -> NewJob:
    payload = {
        "projectId": str(project.id),
        "gateType": gate,
        "branch": push.branch,
        "commitSha": push.after,
    } | ({"sender": push.sender} if push.sender else {})
    queue = queues["gate-evaluation"]
    return _job("gate_evaluation", queue, payload, project, push, delivery, gate)


def _job(
    kind: str,
    queue: Queue,
    payload: dict[str, Any],
    project: Project,
    push: Push,
    delivery: Delivery,
    part: str = "",
) -> NewJob:
    """The job of a push; `part` tells several of a kind apart."""
    name = f"{kind}:{part}" if part else kind
    return NewJob(
        queue=queue.name,
        kind=kind,
        payload=payload,
        max_attempts=queue.attempts,
        project_id=project.id,
        org_id=project.org_id,
        priority=project.priority,
        dedupe_key=f"delivery:{delivery.guid}:{name}",
        delivery_id=delivery.guid,
        correlation_id=delivery.guid,
        traceparent=delivery.traceparent,
        lane=f"{name}:{project.id}:{push.branch}",
        lane_order=push.pushed_at,
    )
