"""Usage past its limit, step by step: what is told, what is switched off, what comes back."""

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

from worker.database.pool import connect_pool
from worker.demo.receiver import Receiver, receiving
from worker.demo.stage import Api, connected, perform
from worker.jobs.ring import Bell
from worker.redis_pool import connect_redis
from worker.stack import Stack
from worker.tenants.periods.rollover import Rollover

SECONDS = 20.0
ORG, METRIC, FLAG, LIMIT = "acme", "api.calls", "exports", 1000


def run() -> int:
    """Show what happens when an organisation uses up its limit; answers the exit code."""
    return perform("demo-tenants", _play)


async def _play(stack: Stack, _: Path) -> None:
    async with connected(stack, SECONDS) as api, receiving() as receiver:
        await asyncio.wait_for(_Demo(stack, api, receiver).play(), 3 * SECONDS)


class _Demo:
    def __init__(self, stack: Stack, api: Api, receiver: Receiver) -> None:
        self._stack, self._api, self._receiver = stack, api, receiver

    async def play(self) -> None:
        key = await self._set_up()
        await self._use(key, "batch-1", 850)
        await self._told("usage.threshold_reached", 80)
        await self._show_flag(key, enabled=True)
        await self._use(key, "batch-2", 200)
        await self._use(key, "batch-2", 200, again=True)
        await self._told("usage.threshold_reached", 100)
        await self._told("feature.disabled")
        await self._show_flag(key, enabled=False)
        await self._show_usage(1050)
        await self._show_emails()
        await self._bring_month_to_its_end()
        await self._told("usage.period_closed")
        await self._show_flag(key, enabled=True)
        await self._show_audit()

    async def _set_up(self) -> str:
        """The organisation, its flag, limit, endpoint and API key; answers the key."""
        org = {"id": ORG, "name": "Acme", "timezone": "Europe/Berlin", "email": "ops@acme.example"}
        await self._api.call("POST", "/api/orgs", json=org)
        await self._call("PUT", f"flags/{FLAG}", {"enabled": True})
        endpoint = await self._call("POST", "endpoints", {"url": self._receiver.url})
        self._receiver.secret = endpoint["secret"]
        rules = [
            {"percent": 80, "action": "send_notification", "targetId": "threshold_warning"},
            {"percent": 100, "action": "send_notification", "targetId": "limit_exceeded"},
            {"percent": 100, "action": "disable_feature", "targetId": FLAG},
        ]
        await self._call("PUT", f"limits/{METRIC}/month", {"quantity": LIMIT, "rules": rules})
        made = await self._call("POST", "keys", {"name": "the demo's"})
        print(f"\nOrganisation {ORG} may use {LIMIT} {METRIC} a month")
        print(f"At 80 % it is warned; at 100 % it is told, and loses its flag {FLAG}")
        print(f"Its endpoint is {self._receiver.url}")
        return str(made["key"])

    async def _use(self, key: str, batch: str, quantity: int, *, again: bool = False) -> None:
        events = [{"metric": METRIC, "quantity": quantity}]
        usage = {"orgId": ORG, "batchId": batch, "events": events}
        headers = {"Authorization": f"Bearer {key}"}
        answer = await self._api.call("POST", "/api/usage", json=usage, headers=headers)
        self._sent = time.monotonic()
        told = " once more: counted once" if again else ""
        print(f"\nUsed {quantity} {METRIC} ({batch}){told}")
        if answer.get("duplicate", False) is not again:
            raise RuntimeError(f"expected duplicate to be {again}: {answer}")

    async def _told(self, event: str, percent: int | None = None) -> None:
        """Wait until the customer's endpoint has been told, signed."""
        async with asyncio.timeout(SECONDS):
            message = await self._receiver.wait_for(event)
        elapsed = (time.monotonic() - self._sent) * 1000
        print(f"  webhook after {elapsed:.0f} ms: {event} {message['data']}")
        if percent is not None and message["data"]["percent"] != percent:
            raise RuntimeError(f"expected {percent} %: {message}")

    async def _show_flag(self, key: str, *, enabled: bool) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        path = f"/api/orgs/{ORG}/flags/{FLAG}"
        flag = await self._api.call("GET", path, headers=headers)
        reason = f", {flag['disabledReason']}" if flag.get("disabledReason") else ""
        print(f"  flag {FLAG}: {'enabled' if flag['enabled'] else 'disabled'}{reason}")
        if flag["enabled"] is not enabled:
            raise RuntimeError(f"expected it to be {enabled}: {flag}")

    async def _show_usage(self, expected: int) -> None:
        page = await self._call("GET", "usage?period=month")
        [month] = page["items"]
        print(f"  usage since {month['periodStart']}: {month['quantity']} of {LIMIT}")
        if month["quantity"] != expected:
            raise RuntimeError(f"expected {expected}: {month}")

    async def _show_emails(self) -> None:
        """Wait for the three that are due; without a mail server they are files."""
        async with asyncio.timeout(SECONDS):
            while len(files := sorted(self._stack.outbox.glob("*.eml"))) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for file in files:
            email = message_from_bytes(file.read_bytes())
            print(f"  email to {email['To']}: {email['Subject']}")

    async def _bring_month_to_its_end(self) -> None:
        print("\nThe month ends (the roll-over is told that it is next month already)")
        servers, self._sent = self._stack.servers, time.monotonic()
        async with AsyncExitStack() as stack:
            pool = await connect_pool(servers.database_url, size=2)
            stack.push_async_callback(pool.close)
            redis = connect_redis(servers.redis_url)
            stack.push_async_callback(redis.aclose)
            done = await Rollover(pool).run(datetime.now(UTC) + timedelta(days=32))
            await Bell(redis).ring(done.rings)

    async def _show_audit(self) -> None:
        page = await self._call("GET", "audit?limit=200")
        print("\nThe audit log, newest first:")
        for event in page["items"]:
            target = event.get("target") or {}
            print(f"  {event['occurredAt'][:19]} {event['actor']['type']:<10} {event['action']:<22}"
                  f" {target.get('id') or ''}")  # fmt: skip

    async def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        return await self._api.call(method, f"/api/orgs/{ORG}/{path}", json=body)
