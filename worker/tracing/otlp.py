"""Spans for an OpenTelemetry collector, sent by a thread of their own; needs the extra `otel`."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from worker.jobs.model import StartedJob
from worker.tracing import Tracing

log = structlog.get_logger(__name__)

Attributes = Mapping[str, str | int]

FLUSH_SECONDS = 5.0
GOOD = frozenset({"completed", "snoozed", "released", "cancelled"})
# Its own lines about each failed try would say no more than ours about the outage.
_EXPORTER_LOG = "opentelemetry.exporter.otlp.proto.http"


class Otlp(Tracing):
    """Whether a span is sent was decided by whoever began its trace."""

    def __init__(self, endpoint: str, service: str) -> None:
        logging.getLogger(_EXPORTER_LOG).setLevel(logging.CRITICAL)
        exporter = Telling(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces"))
        self._processor = BatchSpanProcessor(exporter)
        self._ids = GivenIds()
        resource = Resource({SERVICE_NAME: service}).merge(OTELResourceDetector().detect())
        provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        provider.add_span_processor(self._processor)
        self._tracer = provider.get_tracer("switchyard")

    def push(
        self, traceparent: str, caller: str | None, seconds: float, status: int, delivery_id: str
    ) -> None:
        """The span that all others of the delivery hang on."""
        told: Attributes = {
            "http.request.method": "POST", "http.response.status_code": status,
            "switchyard.delivery_id": delivery_id,
        }  # fmt: skip
        own = _context(traceparent)
        with self._ids.given(own):
            self._span("push", _caller(caller, own), seconds, seconds, told, kind=SpanKind.SERVER)

    def committing(self, traceparent: str, committed: asyncio.Future[Any]) -> None:
        """A span from now until it is in the record, or is not."""
        started = time.monotonic()

        def done(future: asyncio.Future[Any]) -> None:
            failed = future.cancelled() or future.exception() is not None
            seconds, error = time.monotonic() - started, "not recorded" if failed else None
            self._span("commit", _context(traceparent), seconds, seconds, {}, error)

        committed.add_done_callback(done)

    def attempt(
        self, job: StartedJob, since: float, seconds: float, outcome: str, error: str | None
    ) -> None:
        """Two spans: how long it was due and waited, and how long it ran."""
        parent = _context(job.traceparent) if job.traceparent else _of_job(job)
        told: Attributes = {
            "switchyard.job_id": str(job.id), "switchyard.queue": job.queue,
            "switchyard.kind": job.kind, "switchyard.attempt": job.attempt,
        }  # fmt: skip
        self._span("wait", parent, since + job.waited, job.waited, told)
        told = {**told, "switchyard.outcome": outcome}
        problem = None if outcome in GOOD else error or outcome
        self._span("attempt", parent, since, seconds, told, problem, SpanKind.CONSUMER)

    async def close(self) -> None:
        """Send what is left. A collector that does not answer is not waited for."""
        loop, flushed = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(flushed.set)

        threading.Thread(target=shut_down, daemon=True).start()
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await flushed.wait()
        except TimeoutError:
            log.warning("tracing.not_flushed", seconds=FLUSH_SECONDS)

    def _span(
        self,
        name: str,
        parent: SpanContext | None,
        ago: float,
        seconds: float,
        attributes: Attributes,
        error: str | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> None:
        """A span that began so many seconds `ago` and took so many."""
        if not (self._ids.own or parent or trace.INVALID_SPAN_CONTEXT).trace_flags.sampled:
            return
        context = trace.set_span_in_context(NonRecordingSpan(parent)) if parent else None
        started = time.time_ns() - int(ago * 1e9)
        span = self._tracer.start_span(
            name, context, kind=kind, attributes=attributes, start_time=started
        )
        if error is not None:
            span.set_status(StatusCode.ERROR, error)
        span.end(started + int(seconds * 1e9))


class GivenIds(RandomIdGenerator):
    """Ids by chance, unless they are given."""

    own: SpanContext | None = None

    @contextmanager
    def given(self, own: SpanContext) -> Iterator[None]:
        """A span that begins in this block has the ids that were promised for it."""
        self.own = own
        try:
            yield
        finally:
            self.own = None

    def generate_span_id(self) -> int:
        """The id of a new span."""
        return self.own.span_id if self.own else super().generate_span_id()

    def generate_trace_id(self) -> int:
        """The trace of a new span without parent."""
        return self.own.trace_id if self.own else super().generate_trace_id()


class Telling(SpanExporter):
    """An exporter that tells when the collector is away, and when it is back."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        result = self._inner.export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away and not self._away:
            log.warning("tracing.export_failed", spans=len(spans))
        elif self._away and not away:
            log.info("tracing.resumed")
        self._away = away
        return result

    def shutdown(self) -> None:
        """End."""
        self._inner.shutdown()


def _context(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )


def _caller(header: str | None, own: SpanContext) -> SpanContext | None:
    """The span in whose trace the push came; None if the trace began with it."""
    if header is None or header[3:35] != f"{own.trace_id:032x}":
        return None
    return _context(header[:55])


def _of_job(job: StartedJob) -> SpanContext:
    """A trace for all attempts at a job that came without one."""
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(job.id.int, job.id.int & (2**64 - 1), is_remote=True, trace_flags=flags)
