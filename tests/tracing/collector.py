"""An OTLP collector on loopback, which keeps the spans that it is sent; or is out of order."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support import eventually


@dataclass(frozen=True)
class Seen:
    """A span as it came; times are seconds since the epoch."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    started: float
    ended: float
    attributes: dict[str, Any]
    failed: bool
    problem: str

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started


@dataclass
class Collector:
    """`status` is what it answers, 0 for nothing at all."""

    url: str = ""
    status: int = 200
    requests: int = 0
    spans: list[Seen] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: web.Request) -> web.Response:
        """`POST /v1/traces`."""
        self.requests += 1
        body = await request.read()
        if not self.status:
            await self.released.wait()
        if self.status == 200:
            self.spans += decoded(body)
        return web.Response(status=self.status or 503)

    async def named(self, *names: str, timeout: float = 10.0) -> list[Seen]:
        """Wait for these spans, and no others; in this order, and by time where names repeat."""

        def there() -> bool:
            assert sorted(s.name for s in self.spans) == sorted(names)
            return True

        await eventually(there, timeout)
        by_time = sorted(self.spans, key=lambda s: s.started)
        of_name = {name: iter([s for s in by_time if s.name == name]) for name in names}
        return [next(of_name[name]) for name in names]


def decoded(body: bytes) -> list[Seen]:
    """The spans of a request."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Seen(
            service=_attributes(of_resource.resource)["service.name"],
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            kind=span.kind,
            started=span.start_time_unix_nano / 1e9,
            ended=span.end_time_unix_nano / 1e9,
            attributes=_attributes(span),
            failed=span.status.code == 2,
            problem=span.status.message,
        )
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _attributes(holder: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in holder.attributes}


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens until the end of the block."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.receive)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    collector.url = f"http://127.0.0.1:{port}"
    try:
        yield collector
    finally:
        # Whoever still sends gets rid of it, and says nothing in the midst of another test.
        collector.status = 200
        collector.released.set()
        await eventually(lambda: not senders(), 10.0)
        await runner.cleanup()


def senders() -> list[str]:
    """The threads that send spans."""
    return [t.name for t in threading.enumerate() if t.name.startswith("OtelBatchSpan")]
