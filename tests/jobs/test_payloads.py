"""Payloads: what each kind takes, and refusals that name the field and keep the value quiet."""

from typing import Any

import pytest

from worker.errors import InvalidInput
from worker.jobs.payloads import PAYLOADS, validate

PROJECT = "018f2b1e-0000-7000-8000-000000000001"
OTHER = "018f2b1e-0000-7000-8000-000000000002"
SHA = "a" * 40
LEAK = "hunter2-the-secret"

VALID: dict[str, dict[str, Any]] = {
    "artifact_scan": {
        "projectId": PROJECT, "repoUrl": "https://x/y.git", "branch": "feature/a-b",
        "commitSha": SHA, "webhookEventId": "guid-1", "forced": True,
    },
    "conflict_detection": {
        "projectId": PROJECT, "artifactIds": ["1.2", "ADR-3"], "storyIds": ["1.2"],
        "branch": "main", "commitSha": SHA,
    },
    "gate_evaluation": {
        "projectId": PROJECT, "storyId": "1.2", "gateType": "type-check", "branch": "main",
        "commitSha": SHA, "sender": "ada", "approvedBy": "grace",
    },
    "github_report": {"projectId": PROJECT, "commitSha": SHA, "name": "switchyard/lint"},
    "missed_deliveries": {"days": 3},
    "report_sweep": {},
    "analysis": {"projectId": PROJECT, "commitSha": "b" * 64, "config": {"depth": 2}},
    "refactoring": {"projectId": PROJECT, "config": {}, "recipe": "rename", "paths": ["a.py"]},
    "test_generation": {"projectId": PROJECT, "config": {}, "paths": ["src/é.py"]},
    "index": {"projectId": PROJECT, "commitSha": SHA, "config": {}},
    "blueprint": {"projectId": PROJECT, "config": {}},
    "webhook_delivery": {"orgId": "o-1", "endpointId": PROJECT, "messageId": OTHER},
    "cleanup": {"task": "old_clones", "days": 7},
    "endpoint_probe": {"endpointId": PROJECT},
    "audit_event": {"event": {
        "id": "e-1", "orgId": "o-1", "action": "invoice.sent",
        "actor": {"type": "user", "id": "ada"}, "target": {"type": "invoice"},
        "occurredAt": "2026-03-29T00:00:00Z", "context": {}, "metadata": {"nested": [1, None]},
    }},
    "usage_ingestion": {
        "orgId": "o-1", "batchId": "b-1",
        "events": [{"metric": "api.calls", "quantity": 3, "timestamp": "2026-03-29T00:00:00Z"}],
    },
    "notification": {"orgId": "o-1", "type": "limit_exceeded", "data": {"limit": 10}},
    "auto_action": {"orgId": "o-1", "action": "block_api_key", "targetId": "k", "reason": "abuse"},
    "period_rollover": {},
    "usage_aggregation": {"period": "day", "tick": "2026-03-29T00:00:00Z"},
    "dead_letter_cleanup": {"days": 30},
    "retention": {"days": 30},
}  # fmt: skip
NOTHING_REQUIRED = {
    "period_rollover",
    "dead_letter_cleanup",
    "retention",
    "missed_deliveries",
    "report_sweep",
}

# kind, the field as it is reported, and what is put into the first part of it.
WRONG: list[tuple[str, str, Any]] = [
    ("artifact_scan", "projectId", LEAK),
    ("artifact_scan", "projectId", 7),
    ("artifact_scan", "repoUrl", f"{LEAK}\0"),
    ("artifact_scan", "repoUrl", ""),
    ("artifact_scan", "repoUrl", "x" * 2001),
    ("artifact_scan", "branch", f"{LEAK}\nmain"),
    ("artifact_scan", "branch", "x" * 1025),
    ("artifact_scan", "branch", None),
    ("artifact_scan", "commitSha", SHA.upper()),
    ("artifact_scan", "commitSha", "a" * 41),
    ("artifact_scan", "commitSha", f"{SHA}\n"),
    ("artifact_scan", "webhookEventId", ["x"]),
    ("artifact_scan", "webhookEventId", f"a\x7f{LEAK}"),
    ("conflict_detection", "artifactIds", LEAK),
    ("conflict_detection", "artifactIds.1", ["a", f"{LEAK}\0"]),
    ("conflict_detection", "artifactIds", ["a"] * 10_001),
    ("conflict_detection", "storyIds.0", [f"{LEAK}\0"]),
    ("gate_evaluation", "storyId", {"id": LEAK}),
    ("gate_evaluation", "branch", f"{LEAK}\n"),
    ("gate_evaluation", "sender", [LEAK]),
    ("github_report", "commitSha", LEAK),
    ("github_report", "name", f"{LEAK}\n"),
    ("missed_deliveries", "days", 31),
    ("gate_evaluation", "gateType", LEAK),
    ("analysis", "commitSha", "HEAD"),
    ("analysis", "config", LEAK),
    ("refactoring", "recipe", "x" * 201),
    ("refactoring", "paths.0", [f"{LEAK}\0"]),
    ("test_generation", "paths.1", ["a", 5]),
    ("index", "projectId", None),
    ("blueprint", "config", [LEAK]),
    ("webhook_delivery", "endpointId", LEAK),
    ("webhook_delivery", "orgId", ""),
    ("cleanup", "task", LEAK),
    ("cleanup", "days", 0),
    ("retention", "days", LEAK),
    ("usage_aggregation", "period", LEAK),
    ("usage_aggregation", "tick", "2026-03-29T00:00:00"),
    ("endpoint_probe", "endpointId", LEAK),
    ("audit_event", "event", LEAK),
    ("audit_event", "event.actor", {**VALID["audit_event"]["event"], "actor": LEAK}),
    ("audit_event", "event.occurredAt", {**VALID["audit_event"]["event"], "occurredAt": LEAK}),
    ("usage_ingestion", "events.0.quantity", [{"metric": "a", "quantity": -1}]),
    ("usage_ingestion", "events.0.quantity", [{"metric": "a", "quantity": 1.5}]),
    ("usage_ingestion", "events.0.quantity", [{"metric": "a", "quantity": 10**9 + 1}]),
    ("usage_ingestion", "events.0.metric", [{"metric": f"{LEAK} x"}]),
    ("usage_ingestion", "events.0.timestamp", [{"metric": "a", "timestamp": "2026-03-29T00:00"}]),
    ("usage_ingestion", "events", []),
    ("usage_ingestion", "events.0", [LEAK]),
    ("usage_ingestion", "batchId", 3),
    ("notification", "type", LEAK),
    ("notification", "data", [LEAK]),
    ("auto_action", "action", LEAK),
    ("auto_action", "reason", f"{LEAK}\0"),
    ("auto_action", "targetId", None),
]


def refused(kind: str, data: object) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        validate(PAYLOADS[kind], data)
    assert LEAK not in f"{caught.value} {caught.value.fields}"
    assert all(problem for problem in caught.value.fields.values())
    return caught.value.fields


def test_there_is_an_example_of_every_kind() -> None:
    assert set(VALID) == set(PAYLOADS)


@pytest.mark.parametrize("kind", VALID)
def test_a_valid_payload_comes_out_as_it_went_in(kind: str) -> None:
    expected: dict[str, Any] = {"config": {}} if kind in ("index", "analysis", "blueprint") else {}
    assert validate(PAYLOADS[kind], VALID[kind]).wire() == expected | VALID[kind]


@pytest.mark.parametrize("kind", VALID)
def test_every_field_on_the_wire_is_known_by_that_name_alone(kind: str) -> None:
    assert refused(kind, VALID[kind] | {"projctId": LEAK}).keys() == {"projctId"}


@pytest.mark.parametrize("kind", [k for k in VALID if k not in NOTHING_REQUIRED])
def test_every_required_field_that_is_missing_is_named(kind: str) -> None:
    model = PAYLOADS[kind]
    required = {f.alias for f in model.model_fields.values() if f.is_required()}
    assert required
    assert refused(kind, {}).keys() == required


@pytest.mark.parametrize(("kind", "field", "value"), WRONG)
def test_a_wrong_value_is_refused_by_the_name_on_the_wire(
    kind: str, field: str, value: Any
) -> None:
    assert refused(kind, VALID[kind] | {field.split(".")[0]: value}).keys() == {field}


@pytest.mark.parametrize("data", [None, [], LEAK, 7])
def test_what_is_no_object_is_refused_as_a_whole(data: object) -> None:
    assert refused("cleanup", data).keys() == {"(body)"}


def test_every_wrong_field_is_named_at_once() -> None:
    wrong = VALID["artifact_scan"] | {"projectId": 1, "branch": "", "extra": 1}
    assert refused("artifact_scan", wrong).keys() == {"projectId", "branch", "extra"}


@pytest.mark.parametrize("gate", ["unit-tests", "integration-tests", "type-check", "lint"])
def test_every_promised_gate_type_is_taken(gate: str) -> None:
    validate(PAYLOADS["gate_evaluation"], VALID["gate_evaluation"] | {"gateType": gate})


@pytest.mark.parametrize("kind", ["threshold_warning", "limit_exceeded", "feature_disabled"])
def test_every_promised_notification_is_taken(kind: str) -> None:
    validate(PAYLOADS["notification"], VALID["notification"] | {"type": kind})


@pytest.mark.parametrize("action", ["disable_feature", "block_api_key", "send_notification"])
def test_every_promised_action_is_taken(action: str) -> None:
    validate(PAYLOADS["auto_action"], VALID["auto_action"] | {"action": action})
