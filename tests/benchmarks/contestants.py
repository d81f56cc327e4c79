"""Who is measured: how each is started, what it keeps, and when nothing is left of its jobs."""

import json
import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from worker.jobs.ring import queue_keys

Tuning = dict[str, Any]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Contestant:
    """One system. `folder` is its package's name, or the module with our worker's settings.

    `left` counts what is not finished: SQL for those in Postgres, Lua for those in Redis. `share`
    is the part of the jobs that a slow one gets, `prepares` whether it has a schema to create,
    `sends` whether its latency is measured.
    """

    name: str
    folder: str
    keeps: str
    left: str
    tunings: tuple[Tuning, ...]
    share: float = 1.0
    prepares: bool = False
    sends: bool = False
    ours: bool = False

    @property
    def directory(self) -> Path:
        """Where its script and its lock are."""
        return HERE / "peers" / self.folder

    @property
    def in_postgres(self) -> bool:
        """Whether Postgres says what is left."""
        return self.left.startswith("SELECT")

    @cached_property
    def version(self) -> str:
        """The version that its lock names, or our own."""
        if self.ours:
            return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])
        packages = self.directory / "package-lock.json"
        if packages.exists():
            locked = json.loads(packages.read_text())["packages"]
            return str(locked[f"node_modules/{self.folder}"]["version"])
        pins = (self.directory / "requirements.txt").read_text()
        found = re.search(rf"^{self.folder}==(\S+)", pins, re.MULTILINE)
        return found[1] if found else ""


SWITCHYARD = Contestant(
    "Switchyard",
    "app",
    "Postgres row with start and end, history of attempts, events; Redis holds ids only",
    "SELECT count(*) FROM jobs WHERE state <> 'completed'",
    ({"record": True},),
    prepares=True,
    sends=True,
    ours=True,
)
ENGINE = Contestant(
    "Switchyard, ledger off",
    "engine_only",
    "Redis id until done, nothing else",
    f"return redis.call('HLEN', '{queue_keys('bench').jobs}')",
    ({"record": False},),
    prepares=True,
    ours=True,
)
PEERS = (
    Contestant(
        "BullMQ",
        "bullmq",
        "Redis hash until done, longer if wanted",
        "return redis.call('LLEN', 'bull:bench:wait') + redis.call('LLEN', 'bull:bench:active')",
        (
            {"concurrency": 50, "removeOnComplete": {"count": 0}},
            {"concurrency": 100, "removeOnComplete": {"count": 0}},
            {"concurrency": 300, "removeOnComplete": {"count": 0}},
            {"concurrency": 100},
        ),
        sends=True,
    ),
    Contestant(
        "pgqueuer",
        "pgqueuer",
        "Postgres row until done, then a log row for each step",
        "SELECT count(*) FROM pgqueuer",
        ({"batch_size": 100, "connections": 10}, {"batch_size": 100, "connections": 4}),
        prepares=True,
        sends=True,
    ),
    Contestant(
        "stock arq",
        "arq",
        "Redis key until done, then a result for a time if wanted (off here)",
        "return redis.call('ZCARD', 'arq:queue')",
        (
            {"max_jobs": 100, "poll_delay": 0.01},
            {"max_jobs": 500, "poll_delay": 0.01},
            {"max_jobs": 1000, "poll_delay": 0.05},
        ),
        share=0.25,
        sends=True,
    ),
    Contestant(
        "SAQ",
        "saq",
        "Redis key until done, longer if wanted (off here)",
        "return redis.call('ZCARD', 'saq:default:incomplete')",
        ({"concurrency": 20, "ttl": -1}, {"concurrency": 100, "ttl": -1}),
        share=0.25,
        sends=True,
    ),
    Contestant(
        "Dramatiq",
        "dramatiq",
        "Redis message until acknowledged",
        "return redis.call('HLEN', 'dramatiq:default.msgs')",
        (
            {"threads": 1, "prefetch": 1000},
            {"threads": 8, "prefetch": 1000},
            {"threads": 8, "prefetch": 16},
        ),
        share=0.2,
    ),
    Contestant(
        "Celery",
        "celery",
        "Redis message until acknowledged, by default at the start",
        "return redis.call('LLEN', 'celery') + redis.call('HLEN', 'unacked')",
        (
            {"pool": "solo", "concurrency": 1, "prefetch": 128},
            {"pool": "threads", "concurrency": 8, "prefetch": 16},
            {"pool": "prefork", "concurrency": 1, "prefetch": 128},
        ),
        share=0.1,
    ),
    Contestant(
        "procrastinate",
        "procrastinate",
        "Postgres row, and a row for each event",
        "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')",
        (
            {"concurrency": 10, "connections": 10, "delete_jobs": "never"},
            {"concurrency": 50, "connections": 20, "delete_jobs": "never"},
            {"concurrency": 50, "connections": 20, "delete_jobs": "successful"},
        ),
        share=0.1,
        prepares=True,
        sends=True,
    ),
)
