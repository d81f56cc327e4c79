"""A push through the real service and the real engine, as a collector sees it."""

from contextlib import AbstractAsyncContextManager

from arq.connections import ArqRedis

from tests.tracing.collector import Collector, Seen
from tests.webhooks.service import Service, fresh, guid_of, serving
from worker.engine.engine import Engine
from worker.jobs.backoff import Backoff
from worker.jobs.model import Completed, Outcome, StartedJob
from worker.jobs.payloads import ArtifactScan
from worker.jobs.queues import Queue
from worker.jobs.registry import Registry
from worker.tracing import open_tracing

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
REGISTRY = Registry()
SCAN = Queue("artifact-scan", ("artifact_scan",), backoff=Backoff("fixed", 0.1))
NAMES = ("push", "commit", "wait", "attempt", "wait", "attempt")


@REGISTRY.handles(ArtifactScan, queue="artifact-scan")
async def artifact_scan(job: ArtifactScan, ctx: StartedJob) -> Outcome:
    """Fail once."""
    if ctx.attempt == 1:
        raise ValueError("no luck")
    return Completed()


def traced(
    database_url: str, redis_url: str, collector: Collector
) -> AbstractAsyncContextManager[Service]:
    """A service that sends its spans to the collector."""
    return serving(database_url, redis_url, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)


async def test_a_push_and_all_that_became_of_it_are_one_trace(
    database_url: str, redis_url: str, redis: ArqRedis, collector: Collector
) -> None:
    async with traced(database_url, redis_url, collector) as service:
        await service.enrol()
        pushed = fresh().with_headers(traceparent=f"00-{TRACE}-{CALLER}-01")
        answer = await service.deliver(pushed)
        [job] = answer.body["jobs"]
        await run_until_completed(service, redis, collector)
        spans = await collector.named(*NAMES)
    check_tree(spans)
    push, commit = spans[:2]
    waits, attempts = spans[2::2], spans[3::2]
    assert (push.service, commit.service) == ("switchyard-web", "switchyard-web")
    assert push.attributes["switchyard.delivery_id"] == guid_of(pushed)
    assert push.started <= commit.started <= commit.ended <= push.ended + 0.01
    assert {s.attributes["switchyard.job_id"] for s in waits + attempts} == {job["id"]}
    assert [s.attributes["switchyard.attempt"] for s in attempts] == [1, 2]
    assert [s.attributes["switchyard.outcome"] for s in attempts] == ["retrying", "completed"]
    assert [(s.failed, s.problem) for s in attempts] == [(True, "no luck"), (False, "")]
    assert waits[0].started >= push.started - 0.05
    for wait, attempt in zip(waits, attempts, strict=True):
        assert abs(attempt.started - wait.ended) < 0.2
    assert waits[1].started >= attempts[0].ended + 0.05, "its wait begins when it was due again"


async def test_a_large_push_and_a_repeated_one_are_seen_too(
    database_url: str, redis_url: str, collector: Collector
) -> None:
    async with traced(database_url, redis_url, collector) as service:
        pushed = fresh(padding="x" * 500_000)
        for _ in range(2):
            await service.deliver(pushed)
        spans = await collector.named("push", "push", "commit", "commit")
    assert {s.attributes["switchyard.delivery_id"] for s in spans[:2]} == {guid_of(pushed)}
    assert [s.parent_id for s in spans] == ["", "", spans[0].span_id, spans[1].span_id]
    assert spans[0].trace_id != spans[1].trace_id


def check_tree(spans: list[Seen]) -> None:
    """All of the caller's trace: the push hangs on the caller, the rest on the push."""
    push, *others = spans
    assert {s.trace_id for s in spans} == {TRACE}
    assert push.parent_id == CALLER
    assert {s.parent_id for s in others} == {push.span_id}
    assert {s.service for s in others[1:]} == {"switchyard-worker"}
    assert len({s.span_id for s in spans}) == len(spans)


async def run_until_completed(service: Service, redis: ArqRedis, collector: Collector) -> None:
    """An engine runs the job, and stops when it has."""
    tracing = open_tracing(collector.url, "switchyard-worker")
    engine = Engine(
        pool=service.resources.pool, redis=redis, queues={SCAN.name: SCAN}, registry=REGISTRY,
        make_context=lambda job, _: job, tracing=tracing,
    )  # fmt: skip
    await engine.start()
    try:
        await collector.named(*NAMES)
    finally:
        await engine.stop(5.0)
        await tracing.close()
