"""What people write as a status, and what it is normalised to."""

import pytest

from worker.artifacts.status import DECISION, EPIC, STORY, Vocabulary, normalize


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Draft", "draft"),
        ("drafted", "draft"),
        ("Approved", "ready"),
        ("ready-for-dev", "ready"),
        ("Ready", "ready"),
        ("InProgress", "in-progress"),
        ("in_progress", "in-progress"),
        ("🚧 WIP", "in-progress"),
        ("RED phase complete", "in-progress"),
        ("Review", "review"),
        ("Ready for Re-Review", "review"),
        ("Ready for Done", "review"),
        ("dev-complete", "review"),
        ("✅ Done", "done"),
        ("✅", "done"),
        ("DONE", "done"),
        ("**Complete**", "done"),
        ("~~Complete~~", "done"),
        ("`completed`", "done"),
        ("✅ Implemented (all tests pass)", "done"),
        ("Done - merged in March", "done"),
        ("Done \u2014 2025-01-02", "done"),
        ("Completed 2025-01-02", "done"),
        ("Done, deployed", "done"),
        ("Done and dusted", "done"),
        ("Draft \u2192 Approved", "ready"),
        ("[Done](qa.md)", "done"),
        ("Done\nsecond line", "done"),
        ("terminée", "done"),
        ("Terminé", "done"),
        ("en cours", "in-progress"),
        ("À faire", "backlog"),
        ("Blocked: waits for ops", "blocked"),
        ("moved-to-12", "moved"),
        ("cancelled", "cancelled"),
        ("deprecated", "deprecated"),
        ("Not done", None),
        ("undone", None),
        ("Marinating", None),
        ("", None),
        ("🤷", None),
        ("12", None),
    ],
)
def test_stories(raw: str, expected: str | None) -> None:
    assert normalize(raw, STORY) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Accepted", "accepted"),
        ("accepted (lazy consensus) & implemented", "accepted"),
        ("Approved", "accepted"),
        ("Ready for implementation", "accepted"),
        ("Implementing", "implementing"),
        ("partially addressed", "implementing"),
        ("Implemented (Swift 5.1)", "implemented"),
        ("Proposed", "proposed"),
        ("Superseded by [35. X](0035-x.md)", "superseded"),
        ("superseded by ADR-0123", "superseded"),
        ("rejected", "rejected"),
        ("deprecated", "deprecated"),
    ],
)
def test_decisions(raw: str, expected: str) -> None:
    assert normalize(raw, DECISION) == expected


def test_epics_may_be_contexted() -> None:
    assert normalize("contexted", EPIC) == "in-progress"
    assert normalize("contexted", STORY) is None


@pytest.mark.parametrize("vocabulary", [STORY, EPIC, DECISION])
def test_every_spelling_is_reachable(vocabulary: Vocabulary) -> None:
    assert {spelling: normalize(spelling, vocabulary) for spelling in vocabulary} == vocabulary
