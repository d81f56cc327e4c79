"""The event matrix: what each recorded delivery causes, and which project it belongs to."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tests.deliveries import load
from webhooks.github.deliveries import Delivery, parse
from webhooks.github.plan import Enqueue, Ignored, choose_project, plan
from worker.jobs.model import NewJob, Project
from worker.jobs.queues import QUEUES

PROJECT = Project(
    id=UUID("01956f3a-6f1c-7c55-9d54-2f6f0f8a7b11"),
    name="Harbour ledger",
    repo_url="https://git.example.org/enrolled/harbour-ledger.git",
    repository="example-org/harbour-ledger",
    repository_id=734018265,
    default_branch="main",
    plan="pro",
    org_id="org-1",
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
)
UNSEEN = replace(PROJECT, repository_id=None)
OTHER_ID = replace(PROJECT, repository_id=1)


def delivery(name: str) -> Delivery:
    recorded = load(name)
    return parse(recorded.headers, recorded.body)


def only_job(name: str, project: Project = PROJECT) -> NewJob:
    return job_for(delivery(name), project)


def job_for(pushed: Delivery, project: Project = PROJECT) -> NewJob:
    planned = plan(pushed, project)
    assert isinstance(planned, Enqueue)
    (job,) = planned.jobs
    return job


@pytest.mark.parametrize(
    ("name", "branch"),
    [
        ("push_branch", "main"),
        ("push_branch_with_slashes", "feature/tides/northern-basin"),
        ("push_branch_dash_x", "-x"),
        ("push_new_branch", "story-6"),
        ("push_force", "main"),
        ("push_empty_commits", "release"),
        ("push_bot", "quay-updater/tide-table-2025.3"),
    ],
)
def test_a_push_to_a_branch_plans_a_scan_of_the_pushed_commit(name: str, branch: str) -> None:
    pushed = delivery(name)
    assert pushed.push is not None
    job = job_for(pushed)
    assert job == NewJob(
        id=job.id,
        queue="artifact-scan",
        kind="artifact_scan",
        max_attempts=3,
        project_id=PROJECT.id,
        org_id="org-1",
        dedupe_key=f"delivery:{pushed.guid}:artifact_scan",
        delivery_id=pushed.guid,
        correlation_id=pushed.guid,
        payload={
            "projectId": "01956f3a-6f1c-7c55-9d54-2f6f0f8a7b11",
            "repoUrl": "https://git.example.org/enrolled/harbour-ledger.git",
            "branch": branch,
            "commitSha": pushed.push.after,
            "webhookEventId": pushed.guid,
        }
        | ({"forced": True} if name == "push_force" else {}),
        priority=10,
        traceparent=pushed.traceparent,
        lane=f"artifact_scan:{PROJECT.id}:{branch}",
        lane_order=pushed.push.pushed_at,
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("push_deleted_branch", "branch_deleted"),
        ("push_tag", "tag_push"),
        ("unknown_event", "unknown_event"),
        ("repository_renamed", "unhandled_action"),
        ("repository_unknown_action", "unhandled_action"),
    ],
)
def test_what_is_understood_and_needs_nothing(name: str, reason: str) -> None:
    assert plan(delivery(name), PROJECT) == Ignored(reason)


@pytest.mark.parametrize("project", [None, PROJECT])
def test_ping_needs_nothing_done_for_any_repository(project: Project | None) -> None:
    assert plan(delivery("ping"), project) == Ignored("ping")


@pytest.mark.parametrize("name", ["push_branch", "push_tag", "push_deleted_branch"])
def test_a_push_to_an_unenrolled_repository_is_ignored(name: str) -> None:
    assert plan(delivery(name), None) == Ignored("repository_not_enrolled")


@pytest.mark.parametrize("ref", ["refs/notes/commits", "refs/pull/7/head", "refs/for/main"])
def test_other_refs_are_ignored(ref: str) -> None:
    recorded = load("push_branch").with_body(ref=ref)
    assert plan(parse(recorded.headers, recorded.body), PROJECT) == Ignored("other_ref")


def test_a_deleted_tag_is_a_tag_push() -> None:
    recorded = load("push_deleted_branch").with_body(ref="refs/tags/v1")
    assert plan(parse(recorded.headers, recorded.body), PROJECT) == Ignored("tag_push")


def test_a_zero_commit_is_a_deletion_whatever_the_flag_says() -> None:
    recorded = load("push_deleted_branch").with_body(deleted=False)
    assert plan(parse(recorded.headers, recorded.body), PROJECT) == Ignored("branch_deleted")


def test_a_repository_event_without_a_repository_says_so() -> None:
    recorded = load("repository_renamed").with_body(repository=None)
    assert plan(parse(recorded.headers, recorded.body), None) == Ignored("no_repository")


@pytest.mark.parametrize(
    ("plan_name", "priority"), [("enterprise", 10), ("pro", 10), ("starter", 5), ("free", 0)]
)
def test_priority_follows_the_projects_plan(plan_name: str, priority: int) -> None:
    assert only_job("push_branch", replace(PROJECT, plan=plan_name)).priority == priority


def test_attempts_follow_the_queues_policy() -> None:
    queues = QUEUES | {"artifact-scan": replace(QUEUES["artifact-scan"], attempts=7)}
    planned = plan(delivery("push_branch"), PROJECT, queues)
    assert isinstance(planned, Enqueue)
    assert [job.max_attempts for job in planned.jobs] == [7]


def test_the_clone_url_never_comes_from_the_payload() -> None:
    payload = only_job("push_branch").payload
    assert not any("github.com" in value for value in payload.values())


def test_a_renamed_repository_is_found_by_its_id() -> None:
    renamed = delivery("repository_renamed")
    assert renamed.repository == "example-org/quay-ledger"
    assert choose_project(renamed, PROJECT, None) is PROJECT


def test_the_id_wins_over_another_projects_name() -> None:
    assert choose_project(delivery("push_branch"), PROJECT, UNSEEN) is PROJECT


@pytest.mark.parametrize("name", ["example-org/harbour-ledger", "Example-Org/Harbour-LEDGER"])
def test_a_name_matches_in_any_case_while_the_id_is_unknown(name: str) -> None:
    project = replace(UNSEEN, repository=name)
    assert choose_project(delivery("push_branch"), None, project) is project


@pytest.mark.parametrize(
    "by_name", [OTHER_ID, replace(UNSEEN, repository="example-org/other"), None]
)
@pytest.mark.parametrize("by_id", [OTHER_ID, UNSEEN, None])
def test_nothing_else_matches(by_id: Project | None, by_name: Project | None) -> None:
    assert choose_project(delivery("push_branch"), by_id, by_name) is None


def test_a_delivery_without_a_repository_has_no_project() -> None:
    recorded = load("ping").with_body(repository=None)
    assert choose_project(parse(recorded.headers, recorded.body), UNSEEN, UNSEEN) is None


def test_a_push_runs_the_gates_that_the_project_turned_on() -> None:
    pushed = delivery("push_branch")
    assert pushed.push is not None
    planned = plan(pushed, replace(PROJECT, gates=["lint", "unit-tests"]))
    assert isinstance(planned, Enqueue)
    scan, lint, tests = planned.jobs
    assert scan.kind == "artifact_scan"
    assert lint == NewJob(
        id=lint.id,
        queue="gate-evaluation",
        kind="gate_evaluation",
        max_attempts=3,
        project_id=PROJECT.id,
        org_id="org-1",
        dedupe_key=f"delivery:{pushed.guid}:gate_evaluation:lint",
        delivery_id=pushed.guid,
        correlation_id=pushed.guid,
        payload={
            "projectId": str(PROJECT.id),
            "gateType": "lint",
            "branch": "main",
            "commitSha": pushed.push.after,
            "sender": pushed.push.sender,
        },
        priority=10,
        traceparent=pushed.traceparent,
        lane=f"gate_evaluation:lint:{PROJECT.id}:main",
        lane_order=pushed.push.pushed_at,
    )
    assert tests.payload["gateType"] == "unit-tests"
    assert len({job.lane for job in planned.jobs}) == 3


def test_a_gate_of_a_push_by_nobody_names_no_sender() -> None:
    recorded = load("push_branch").with_body(sender=None)
    pushed = parse(recorded.headers, recorded.body)
    planned = plan(pushed, replace(PROJECT, gates=["lint"]))
    assert isinstance(planned, Enqueue)
    assert "sender" not in planned.jobs[1].payload
