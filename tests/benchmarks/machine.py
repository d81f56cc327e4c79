"""Where it was measured."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from redis.asyncio import Redis

from tests.benchmarks.stage import Stage

CPU_INFO = Path("/proc/cpuinfo")


async def describe(stage: Stage) -> str:
    """The machine in one line: processor, cores and versions."""
    async with Redis.from_url(stage.redis_url) as redis:
        redis_version = (await redis.info("server"))["redis_version"]
    postgres = str(await stage.sql("SHOW server_version"))
    parts = [
        f"{os.cpu_count()} cores ({_processor()})",
        f"{platform.system()}, Python {platform.python_version()}",
        *_node(),
        f"Redis {redis_version}",
        f"Postgres {postgres} (fsync off)",
    ]
    return ", ".join(parts)


def _processor() -> str:
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def _node() -> list[str]:
    if shutil.which("node") is None:
        return []
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    return [f"node {told.stdout.strip().removeprefix('v')}"]
