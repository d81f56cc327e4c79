"""Health: what each path answers when all is well, when something fails, and when it hangs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web

from worker import health as module
from worker.health import Check, Health, add_health_routes, serve
from worker.metrics import WEBHOOK_REQUESTS


class Asked:
    """A check that counts how often it was asked."""

    def __init__(self, answer: str | None = None) -> None:
        self.answer = answer
        self.times = 0

    async def __call__(self) -> str | None:
        self.times += 1
        return self.answer


async def refusing() -> str | None:
    raise ConnectionRefusedError("nobody there")


async def hanging() -> str | None:
    await asyncio.Event().wait()
    return None


class Served:
    """A server with these checks, and a client of it."""

    def __init__(
        self, checks: Mapping[str, Check], advisory: Mapping[str, Check] | None = None
    ) -> None:
        self.health = Health(checks, advisory)

    async def __aenter__(self) -> "Served":
        app = web.Application()
        add_health_routes(app, self.health)
        self.runner = await serve(app, "127.0.0.1", 0)
        host, port = self.runner.addresses[0][:2]
        self.client = aiohttp.ClientSession(f"http://{host}:{port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        await self.runner.cleanup()

    async def get(self, path: str) -> tuple[int, dict[str, object]]:
        async with self.client.get(path) as response:
            return response.status, await response.json()


@pytest.fixture
async def well() -> AsyncIterator[Served]:
    async with Served({"postgres": Asked(), "redis": Asked()}) as served:
        yield served


async def test_all_is_well(well: Served) -> None:
    status, body = await well.get("/health")
    assert (status, set(body)) == (200, {"status", "uptime", "timestamp"})
    assert body["status"] == "healthy"
    assert isinstance(body["uptime"], float)
    assert 0 <= body["uptime"] < 60
    at = datetime.fromisoformat(str(body["timestamp"]))
    assert timedelta(0) <= datetime.now(UTC) - at < timedelta(seconds=60)
    assert await well.get("/readyz") == (200, {"status": "ready", "checks": {}})


async def test_uptime_grows(well: Served) -> None:
    first = (await well.get("/health"))[1]["uptime"]
    await asyncio.sleep(0.002)
    assert float(str((await well.get("/health"))[1]["uptime"])) > float(str(first))


async def test_a_failing_check_is_named_and_the_others_are_not() -> None:
    checks: dict[str, Check] = {
        "postgres": refusing,
        "redis": Asked(),
        "loops": Asked("stopped: reconciler"),
    }
    failing = {"postgres": "ConnectionRefusedError: nobody there", "loops": "stopped: reconciler"}
    async with Served(checks) as served:
        status, body = await served.get("/health")
        assert (status, body["status"], body["checks"]) == (503, "unhealthy", failing)
        assert await served.get("/readyz") == (503, {"status": "not ready", "checks": failing})


async def test_a_hanging_check_fails_in_time_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.05)
    async with Served({"a": hanging, "b": hanging, "c": Asked()}) as served:
        async with asyncio.timeout(2):
            status, body = await served.get("/health")
    assert (status, body["checks"]) == (
        503, {"a": "no answer within 0.05 s", "b": "no answer within 0.05 s"},
    )  # fmt: skip


def test_a_check_has_two_seconds() -> None:
    assert module.CHECK_SECONDS == 2.0


async def test_livez_touches_nothing() -> None:
    check = Asked()
    async with Served({"postgres": check, "redis": hanging}, {"redis": check}) as served:
        assert await served.get("/livez") == (200, {"status": "alive"})
    assert check.times == 0


async def test_an_advisory_check_is_told_of_and_changes_nothing() -> None:
    async with Served({"postgres": Asked()}, {"redis": refusing}) as served:
        status, body = await served.get("/health")
        assert (status, body["status"]) == (200, "healthy")
        assert body["warnings"] == {"redis": "ConnectionRefusedError: nobody there"}
        assert "checks" not in body
        assert (await served.get("/readyz"))[0] == 200


async def test_draining_is_not_ready_but_healthy(well: Served) -> None:
    well.health.draining = True
    assert await well.get("/readyz") == (
        503, {"status": "not ready", "checks": {"process": "draining"}},
    )  # fmt: skip
    assert (await well.get("/health"))[0] == 200
    assert (await well.get("/livez"))[0] == 200


async def test_a_recovered_check_is_well_again() -> None:
    check = Asked("down")
    async with Served({"postgres": check}) as served:
        assert (await served.get("/health"))[0] == 503
        check.answer = None
        assert (await served.get("/health"))[0] == 200


PROMISED = {
    "jobs_processed_total", "job_duration_seconds", "queue_size", "jobs_enqueued_total",
    "jobs_retried_total", "job_queue_wait_seconds", "oldest_job_age_seconds", "dead_letter_jobs",
    "job_sla_breaches_total", "worker_last_heartbeat_timestamp_seconds", "webhook_requests_total",
    "webhook_request_duration_seconds", "external_request_duration_seconds",
}  # fmt: skip


async def test_metrics_are_in_prometheus_text_and_all_there(well: Served) -> None:
    WEBHOOK_REQUESTS.labels("github", "push", "accepted").inc()
    async with well.client.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await response.text()
    named = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE")}
    named |= {f"{n}_total" for n in named}
    assert not PROMISED - named
    assert 'result="accepted"' in text


async def test_other_paths_and_methods_are_refused(well: Served) -> None:
    async with well.client.get("/") as missing, well.client.post("/health") as wrong:
        assert (missing.status, wrong.status) == (404, 405)
