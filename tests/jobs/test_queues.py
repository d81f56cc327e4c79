"""The policy table, number by number, and the ways of changing it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import ConfigurationError
from worker.jobs.backoff import Backoff
from worker.jobs.payloads import PAYLOADS
from worker.jobs.queues import QUEUES, chosen, configured
from worker.settings import load_settings

MINUTE, DAY = 60, 86_400
# name: kinds, attempts, concurrency, timeout, SLA, delays after each failure but the last.
POLICY: dict[str, tuple[set[str], int, int, float, float | None, list[float]]] = {
    "artifact-scan": ({"artifact_scan"}, 3, 10, 5 * MINUTE, 30, [2, 4]),
    "conflict-detection": ({"conflict_detection"}, 3, 5, 5 * MINUTE, 30, [2, 4]),
    "gate-evaluation": ({"gate_evaluation"}, 3, 2, 15 * MINUTE, 10 * MINUTE, [2, 4]),
    "analysis": ({"analysis"}, 3, 10, 10 * MINUTE, 5 * MINUTE, [2, 4]),
    "refactoring": ({"refactoring"}, 2, 5, 20 * MINUTE, 10 * MINUTE, [5]),
    "test-generation": ({"test_generation"}, 2, 5, 20 * MINUTE, 10 * MINUTE, [5]),
    "indexing": ({"index", "blueprint"}, 3, 5, 10 * MINUTE, 5 * MINUTE, [2, 4]),
    "webhooks": ({"webhook_delivery"}, 6, 50, 35, 5, [1, 2, 4, 8, 16]),
    "webhook-probes": ({"endpoint_probe"}, 1, 5, 35, None, []),
    "github-reports": (
        {"github_report", "missed_deliveries", "report_sweep"}, 6, 20, 60, 30, [2, 4, 8, 16, 32],
    ),
    "cleanup": ({"cleanup"}, 1, 2, 30 * MINUTE, None, []),
    "flagship:audit": ({"audit_event"}, 6, 10, 30, 5, [1, 2, 4, 8, 16]),
    "flagship:usage": ({"usage_ingestion"}, 6, 10, 60, 10, [1, 2, 4, 8, 16]),
    "flagship:notifications": ({"notification"}, 4, 10, 30, 30, [1, 2, 3]),
    "flagship:auto-actions": ({"auto_action"}, 4, 5, 30, 10, [1, 2, 4]),
    "flagship:maintenance": (
        {"period_rollover", "usage_aggregation", "dead_letter_cleanup", "retention"},
        1, 1, 30 * MINUTE, None, [],
    ),
}  # fmt: skip
# name: completed and failed, each a count and an age in seconds.
RETENTION = {
    "artifact-scan": ((100, None), (500, None)),
    "conflict-detection": ((100, None), (500, None)),
    "gate-evaluation": ((100, None), (500, None)),
    "analysis": ((1000, DAY), (5000, 7 * DAY)),
}


def test_the_queues_are_those_promised() -> None:
    assert set(QUEUES) == set(POLICY)
    assert all(name == queue.name for name, queue in QUEUES.items())


@pytest.mark.parametrize("name", POLICY)
def test_a_queue_has_its_promised_numbers(name: str) -> None:
    q = QUEUES[name]
    kinds, attempts, concurrency, timeout, sla, _ = POLICY[name]
    assert (set(q.kinds), q.attempts, q.concurrency, q.timeout, q.sla) == (
        kinds, attempts, concurrency, timeout, sla,
    )  # fmt: skip


@pytest.mark.parametrize("name", POLICY)
@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_a_queue_waits_exactly_as_promised_between_attempts(name: str, chance: float) -> None:
    q = QUEUES[name]
    delays = [q.backoff.delay(failures, chance) for failures in range(1, q.attempts)]
    assert delays == POLICY[name][5]


@pytest.mark.parametrize("name", RETENTION)
def test_a_queue_keeps_what_is_promised(name: str) -> None:
    q = QUEUES[name]
    kept = tuple((r.count, r.age) for r in (q.keep_completed, q.keep_failed))
    assert kept == RETENTION[name]


def test_every_kind_has_one_queue_and_a_payload() -> None:
    kinds = [kind for q in QUEUES.values() for kind in q.kinds]
    assert sorted(kinds) == sorted(PAYLOADS)


@given(
    shape=st.sampled_from(["exponential", "linear", "fixed"]),
    base=st.floats(0.001, 100),
    jitter=st.floats(0, 1),
    chance=st.floats(0, 1),
    failures=st.integers(1, 10_000),
)
def test_jitter_never_shortens_and_nothing_overflows(
    shape: str, base: float, jitter: float, chance: float, failures: int
) -> None:
    plain = Backoff(shape, base).delay(failures)  # type: ignore[arg-type]
    jittered = Backoff(shape, base, jitter=jitter).delay(failures, chance)  # type: ignore[arg-type]
    assert 0 < plain <= 3600.0
    assert plain <= jittered <= plain * (1 + jitter)


def test_a_delay_grows_to_its_cap_and_stays_there() -> None:
    delays = [Backoff("exponential", 2.0, cap=60.0).delay(n) for n in range(1, 9)]
    assert delays == [2, 4, 8, 16, 32, 60, 60, 60]
    assert Backoff("exponential", 2.0).delay(10_000) == 3600.0


def test_the_environment_changes_one_number_of_one_queue() -> None:
    changed = configured(overrides(QUEUE_ARTIFACT_SCAN_CONCURRENCY="20"))
    assert changed["artifact-scan"].concurrency == 20
    assert changed["artifact-scan"].attempts == 3
    assert {n: q for n, q in changed.items() if n != "artifact-scan"} == {
        n: q for n, q in QUEUES.items() if n != "artifact-scan"
    }


def test_every_number_of_a_queue_with_a_colon_can_be_changed() -> None:
    changed = configured(
        overrides(
            QUEUE_FLAGSHIP_AUTO_ACTIONS_CONCURRENCY="7",
            QUEUE_FLAGSHIP_AUTO_ACTIONS_ATTEMPTS="2",
            QUEUE_FLAGSHIP_AUTO_ACTIONS_TIMEOUT="90",
            QUEUE_FLAGSHIP_AUTO_ACTIONS_SLA="1",
        )
    )["flagship:auto-actions"]
    assert (changed.concurrency, changed.attempts, changed.timeout, changed.sla) == (7, 2, 90, 1)


def test_every_queue_can_be_named_in_the_environment() -> None:
    for name in QUEUES:
        variable = name.upper().replace("-", "_").replace(":", "_")
        changed = configured(overrides(**{f"QUEUE_{variable}_CONCURRENCY": "33"}))
        assert changed[name].concurrency == 33


def test_every_unknown_queue_is_named() -> None:
    with pytest.raises(ConfigurationError) as refused:
        configured(overrides(QUEUE_SCANS_CONCURRENCY="2", QUEUE_GATES_TIMEOUT="2"))
    assert len(refused.value.problems) == 2
    assert all(n in str(refused.value) for n in ("QUEUE_SCANS", "QUEUE_GATES"))


def test_a_worker_serves_all_queues_or_the_chosen_ones_in_their_order() -> None:
    assert chosen(None, QUEUES) == QUEUES
    assert list(chosen(["webhooks", "analysis"], QUEUES)) == ["webhooks", "analysis"]


def test_an_unknown_chosen_queue_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError) as refused:
        chosen(["webhooks", "webhoks", "scan"], QUEUES)
    assert len(refused.value.problems) == 2
    assert "'webhoks'" in refused.value.problems[0]
    assert "artifact-scan" in refused.value.problems[0]


def overrides(**variables: str) -> dict[str, dict[str, int]]:
    needed = {"DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h"}
    return load_settings(needed | variables).queue_overrides
