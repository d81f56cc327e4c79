"""`/health`, `/livez`, `/readyz` and `/metrics`, alike on both servers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from aiohttp import web

from worker.metrics import CONTENT_TYPE, exposition

CHECK_SECONDS = 2.0

# A check answers None when all is well, else what is wrong.
Check = Callable[[], Awaitable[str | None]]


class Health:
    """The checks of a process. `draining` makes it not ready without making it unhealthy.

    `advisory` checks are told of and change nothing: what they look at can be done without.
    """

    def __init__(
        self, checks: Mapping[str, Check], advisory: Mapping[str, Check] | None = None
    ) -> None:
        self._checks = checks
        self._advisory = advisory or {}
        self._started = time.monotonic()
        self.draining = False

    async def failures(self) -> dict[str, str]:
        """What is wrong, by name of the check; a check that takes two seconds has failed."""
        return await _failing(self._checks)

    async def warnings(self) -> dict[str, str]:
        """The same of the advisory checks."""
        return await _failing(self._advisory)

    def describe(
        self, failures: Mapping[str, str], warnings: Mapping[str, str]
    ) -> dict[str, object]:
        """The body of `/health`."""
        body: dict[str, object] = {
            "status": "unhealthy" if failures else "healthy",
            "uptime": round(time.monotonic() - self._started, 3),
            "timestamp": datetime.now(UTC).isoformat(),
        }
        told = {"checks": dict(failures), "warnings": dict(warnings)}
        return body | {name: found for name, found in told.items() if found}


HEALTH = web.AppKey("health", Health)


def add_health_routes(app: web.Application, health: Health) -> None:
    """Serve the four paths from `app`."""
    app[HEALTH] = health
    app.router.add_get("/health", _health)
    app.router.add_get("/livez", _livez)
    app.router.add_get("/readyz", _readyz)
    app.router.add_get("/metrics", _metrics)


async def serve(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Start a server; the answered runner's `cleanup()` ends it."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


async def _health(request: web.Request) -> web.Response:
    health = request.app[HEALTH]
    failures, warnings = await asyncio.gather(health.failures(), health.warnings())
    body = health.describe(failures, warnings)
    return web.json_response(body, status=503 if failures else 200)


async def _livez(_: web.Request) -> web.Response:
    return web.json_response({"status": "alive"})


async def _readyz(request: web.Request) -> web.Response:
    health = request.app[HEALTH]
    failures = await health.failures() | ({"process": "draining"} if health.draining else {})
    body = {"status": "not ready" if failures else "ready", "checks": failures}
    return web.json_response(body, status=503 if failures else 200)


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=exposition(), headers={"Content-Type": CONTENT_TYPE})


async def _failing(checks: Mapping[str, Check]) -> dict[str, str]:
    answers = await asyncio.gather(*(_ask(check) for check in checks.values()))
    return {n: a for n, a in zip(checks, answers, strict=True) if a is not None}


async def _ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001  whatever is wrong with a dependency is the answer
        return f"{type(error).__name__}: {error}"
