"""Spans: the right ones, of one trace, in the background; and nothing of it when it is off."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import LogCapture

from tests.jobs.records import handle, new_job
from tests.support import eventually
from tests.tracing.collector import Collector
from worker.jobs.model import StartedJob
from worker.tracing import Tracing, open_tracing, otlp

TRACE, PUSH, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PUSH}-01"
SERVER, CONSUMER = 2, 5


@pytest.fixture
async def tracing(collector: Collector) -> AsyncIterator[Tracing]:
    tracing = open_tracing(collector.url, "switchyard-test")
    yield tracing
    await tracing.close()


def attempt(**fields: Any) -> StartedJob:
    """An attempt that came with a trace and was due for two seconds."""
    job = replace(handle(new_job(), attempt=3), traceparent=TRACEPARENT, waited=2.0)
    return replace(job, **fields)


def told(tracing: Tracing, outcome: str, error: str | None = None, **fields: Any) -> StartedJob:
    """The attempt, which ended half a second ago after a quarter of a second."""
    job = attempt(**fields)
    tracing.attempt(job, 0.75, 0.25, outcome, error)
    return job


async def test_a_push_is_the_span_that_its_jobs_were_promised(
    tracing: Tracing, collector: Collector
) -> None:
    tracing.push(TRACEPARENT, None, 0.25, 202, "guid-1")
    [push] = await collector.named("push")
    assert (push.trace_id, push.span_id, push.parent_id) == (TRACE, PUSH, "")
    assert (push.service, push.kind, push.failed) == ("switchyard-test", SERVER, False)
    assert push.attributes == {
        "http.request.method": "POST", "http.response.status_code": 202,
        "switchyard.delivery_id": "guid-1",
    }  # fmt: skip
    assert push.seconds == pytest.approx(0.25, abs=0.001)
    assert push.ended == pytest.approx(time.time(), abs=5)


@pytest.mark.parametrize(
    ("caller", "parent"),
    [
        (f"00-{TRACE}-{CALLER}-01", CALLER),
        (f"cc-{TRACE}-{CALLER}-01-more", CALLER),
        (f"00-{'1' * 32}-{CALLER}-01", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
async def test_a_push_hangs_on_its_caller_if_it_is_of_that_trace(
    tracing: Tracing, collector: Collector, caller: str, parent: str
) -> None:
    tracing.push(TRACEPARENT, caller, 0.25, 202, "guid-1")
    [push] = await collector.named("push")
    assert (push.trace_id, push.span_id, push.parent_id) == (TRACE, PUSH, parent)


async def test_a_commit_lasts_until_it_is_there_or_is_not(
    tracing: Tracing, collector: Collector
) -> None:
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[Any]] = [loop.create_future() for _ in range(3)]
    for future in futures:
        tracing.committing(TRACEPARENT, future)
    await asyncio.sleep(0.05)
    futures[0].set_result("there")
    futures[1].set_exception(OSError("away"))
    futures[2].cancel()
    commits = await collector.named("commit", "commit", "commit")
    assert {(c.trace_id, c.parent_id) for c in commits} == {(TRACE, PUSH)}
    assert sorted(c.problem for c in commits) == ["", "not recorded", "not recorded"]
    assert all(0.04 < c.seconds < 2 for c in commits)
    assert isinstance(futures[1].exception(), OSError)


async def test_each_attempt_has_its_wait_and_its_run(
    tracing: Tracing, collector: Collector
) -> None:
    job = told(tracing, "completed")
    wait, run = await collector.named("wait", "attempt")
    assert {(s.trace_id, s.parent_id) for s in (wait, run)} == {(TRACE, PUSH)}
    assert len({wait.span_id, run.span_id, PUSH}) == 3
    assert wait.attributes == {
        "switchyard.job_id": str(job.id), "switchyard.queue": "artifact-scan",
        "switchyard.kind": "artifact_scan", "switchyard.attempt": 3,
    }  # fmt: skip
    assert run.attributes == {**wait.attributes, "switchyard.outcome": "completed"}
    assert (wait.seconds, run.seconds) == pytest.approx((2.0, 0.25), abs=0.001)
    assert run.started == pytest.approx(wait.ended, abs=0.05)
    assert (run.kind, run.failed) == (CONSUMER, False)


@pytest.mark.parametrize(
    ("outcome", "error", "problem"),
    [
        ("retrying", "no luck", "no luck"), ("dead", "no luck", "no luck"), ("lost", None, "lost"),
        ("refused", None, "refused"), ("snoozed", None, ""), ("released", None, ""),
        ("cancelled", None, ""),
    ],
)  # fmt: skip
async def test_an_attempt_that_went_wrong_says_so(
    tracing: Tracing, collector: Collector, outcome: str, error: str | None, problem: str
) -> None:
    told(tracing, outcome, error)
    _, run = await collector.named("wait", "attempt")
    assert (run.failed, run.problem) == (bool(problem), problem)
    assert run.attributes["switchyard.outcome"] == outcome


async def test_attempts_at_a_job_without_a_trace_share_one(
    tracing: Tracing, collector: Collector
) -> None:
    job = told(tracing, "retrying", "no luck", traceparent=None)
    tracing.attempt(replace(job, attempt=4), 0.1, 0.1, "completed", None)
    spans = await collector.named("wait", "attempt", "wait", "attempt")
    assert {s.trace_id for s in spans} == {job.id.hex}


async def test_what_the_caller_does_not_want_traced_is_not(
    tracing: Tracing, collector: Collector
) -> None:
    unwanted = f"{TRACEPARENT[:-2]}00"
    tracing.push(unwanted, f"00-{TRACE}-{CALLER}-00", 0.1, 202, "guid-1")
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    tracing.committing(unwanted, future)
    future.set_result(None)
    told(tracing, "completed", traceparent=unwanted)
    await asyncio.sleep(0)
    tracing.push(TRACEPARENT, None, 0.1, 202, "guid-2")
    [push] = await collector.named("push")
    assert push.attributes["switchyard.delivery_id"] == "guid-2"


async def test_what_is_left_goes_out_at_the_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    tracing = open_tracing(collector.url, "switchyard-test")
    for _ in range(700):
        told(tracing, "completed")
    await tracing.close()
    assert len(collector.spans) == 1400


async def test_a_collector_that_hangs_holds_up_nobody(
    collector: Collector, log: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "FLUSH_SECONDS", 0.3)
    collector.status = 0
    tracing = open_tracing(collector.url, "switchyard-test")
    told(tracing, "completed")
    await eventually(lambda: collector.requests)
    started = time.perf_counter()
    for _ in range(1000):
        told(tracing, "completed")
    # Even one wait for an answer would last until the collector is released, at the test's end.
    assert time.perf_counter() - started < 8.0
    started = time.perf_counter()
    await tracing.close()
    assert 0.25 < time.perf_counter() - started < 2.0
    assert [e["event"] for e in log.entries] == ["tracing.not_flushed"]


async def test_a_collector_that_is_away_is_told_once_and_when_it_is_back(
    collector: Collector, log: LogCapture, tracing: Tracing
) -> None:
    collector.status = 400
    for number in range(1, 4):
        told(tracing, "completed")
        await eventually(lambda: collector.requests >= number)  # noqa: B023
    collector.status = 200
    told(tracing, "completed")
    await eventually(lambda: [e for e in log.entries if e["event"] == "tracing.resumed"])
    assert [e["event"] for e in log.entries] == ["tracing.export_failed", "tracing.resumed"]
    assert log.entries[0]["log_level"] == "warning"


async def test_the_names_of_opentelemetry_hold(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "yard-7")
    tracing = open_tracing(f"{collector.url}/", "switchyard-test")
    told(tracing, "completed")
    await tracing.close()
    assert {s.service for s in collector.spans} == {"yard-7"}


async def test_without_the_libraries_one_line_says_so(
    log: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "worker.tracing.otlp")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    tracing = open_tracing("http://127.0.0.1:1", "switchyard-test")
    assert type(tracing) is Tracing
    [line] = log.entries
    assert (line["event"], line["log_level"]) == ("tracing.unavailable", "warning")
    assert "switchyard[otel]" in line["problem"]


async def test_when_it_is_off_nothing_happens(log: LogCapture) -> None:
    tracing = open_tracing(None, "switchyard-test")
    assert type(tracing) is Tracing
    tracing.push(TRACEPARENT, None, 0.1, 202, "guid-1")
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    tracing.committing(TRACEPARENT, future)
    told(tracing, "completed")
    await tracing.close()
    assert log.entries == []


def test_when_it_is_off_nothing_of_it_is_loaded() -> None:
    code = (
        "import sys, worker.app, webhooks.app; from worker.tracing import open_tracing;"
        "open_tracing(None, 'x');"
        "sys.exit(any(m.partition('.')[0] == 'opentelemetry' for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
