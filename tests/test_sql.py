"""Every named statement can be prepared, says what it is for, and the hot ones go by index."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Servers, scratch_database
from worker.database.pool import Pool, connect_pool
from worker.database.queries import Statement, statements
from worker.jobs import conservation, deliveries, ledger, presence, progress, sla, upkeep

ROOT = Path(__file__).parents[1]
FILES = sorted(
    f
    for package in ("worker", "webhooks")
    for f in (ROOT / package).rglob("*.sql")
    if f.parent.name != "migrations"
)
NAMED = [(f, s) for f in FILES for s in statements(f)]
IDS = [f"{f.relative_to(ROOT)}:{s.name}" for f, s in NAMED]
LEDGER, DELIVERIES, UPKEEP = ledger.SQL, deliveries.SQL, upkeep.SQL
CONSERVATION = conservation.SQL

FILL = """
INSERT INTO webhook_events (delivery_id, event, body, headers, processed, processed_at)
SELECT 'd-' || n, 'push', '', '{}', true, now() FROM generate_series(1, 20000) n;
INSERT INTO workers (id, host, pid, queues, last_seen)
SELECT 'w-' || n, 'h', n, '{}', now() - make_interval(secs => n % 2 * 60)
FROM generate_series(1, 20) n;
INSERT INTO projects (id, name, repo_url, repository)
SELECT gen_random_uuid(), 'p', 'u', 'a/' || n FROM generate_series(1, 50) n;
INSERT INTO jobs (id, queue, kind, payload, max_attempts, state, attempt, run_at, worker, claim,
                  finished_at, delivery_id, dedupe_key)
SELECT gen_random_uuid(), 'artifact-scan', 'artifact_scan', '{}', 3, state, 1,
       now() - make_interval(secs => n), CASE WHEN state = 'running' THEN 'w-' || n % 20 + 1 END,
       CASE WHEN state = 'running' THEN 't' END,
       CASE WHEN state IN ('completed', 'dead') THEN now() END, 'd-' || n, 'k-' || n
FROM (SELECT n, CASE WHEN n % 100 < 55 THEN 'completed' WHEN n % 100 < 92 THEN 'queued'
                     WHEN n % 100 < 96 THEN 'retrying' WHEN n % 100 < 98 THEN 'running'
                     ELSE 'dead' END AS state
      FROM generate_series(1, 20000) n) numbered;
ANALYZE;
"""


@pytest.fixture(scope="module")
async def filled(servers: Servers, template_database: str) -> AsyncIterator[Pool]:
    """A record with 20 000 jobs and deliveries, all states among them, its statistics fresh."""
    async with scratch_database(servers.database_url, template_database) as url:
        pool = await connect_pool(url, size=2)
        await pool.execute(FILL)
        yield pool
        await pool.close()


@pytest.mark.parametrize(("file", "statement"), NAMED, ids=IDS)
async def test_a_statement_fits_the_schema(filled: Pool, file: Path, statement: Statement) -> None:
    async with filled.acquire() as connection:
        await connection.prepare(statement.sql)


@pytest.mark.parametrize(("file", "statement"), NAMED, ids=IDS)
def test_a_statement_says_what_it_is_for(file: Path, statement: Statement) -> None:
    assert re.fullmatch(r"[A-Z$].{5,}[.:;)]", statement.description), statement.description


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_no_statement_of_a_file_hides_in_another_or_goes_unused(file: Path) -> None:
    names = [s.name for s in statements(file)]
    assert len(names) == len(set(names)) == file.read_text(encoding="utf-8").count("-- name:")
    code = "\n".join(
        f.read_text(encoding="utf-8")
        for package in ("worker", "webhooks")
        for f in (ROOT / package).rglob("*.py")
    )
    assert [n for n in names if not re.search(rf"\b\w*SQL\.{n}\b", code)] == []


async def plan(pool: Pool, sql: str, *arguments: Any, generic: bool) -> list[dict[str, Any]]:
    """The nodes of a statement's plan, for these arguments or for any."""
    mode = "force_generic_plan" if generic else "force_custom_plan"
    values = f"({', '.join(map(literal, arguments))})" if arguments else ""
    async with pool.acquire() as connection:
        await connection.execute(f"SET plan_cache_mode = {mode}; PREPARE hot AS {sql}")
        try:
            [[found]] = await connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE hot {values}")
        finally:
            await connection.execute("DEALLOCATE hot; RESET plan_cache_mode")
    return [*nodes(found[0]["Plan"])]


def literal(value: object) -> str:
    """A value as SQL text, whatever its type."""
    if isinstance(value, list):
        return "'{" + ",".join("NULL" if v is None else f'"{v}"' for v in value) + "}'"
    return "NULL" if value is None else f"'{value}'"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


async def hot(pool: Pool) -> dict[str, tuple[str, list[Any]]]:
    """The hot statements, with arguments for a usual batch of fifty."""
    rows = await pool.fetch("SELECT id FROM jobs WHERE state = 'queued' LIMIT 50")
    ids = [r["id"] for r in rows]
    n = len(ids)
    finish = [
        ids, [1] * n, ["completed"] * n, [None] * n, [0] * n, ["{}"] * n, [None] * n,
    ]  # fmt: skip
    return {
        "start": (LEDGER.start, [ids, ["t"] * n, "w-1", ["artifact_scan"]]),
        "take_over": (LEDGER.take_over, [ids, ["t"] * n, "w-1", ["artifact_scan"], 3]),
        "finish": (LEDGER.finish, finish),
        "pick_unrung": (UPKEEP.pick_unrung, [500]),
        "pick_abandoned": (UPKEEP.pick_abandoned, [12, 500]),
        "orders": (presence.SQL.orders, ["w-1"]),
        "progress": (progress.SQL.save, [ids, [1] * n, [50] * n, ["x"] * n]),
        "sla": (sla.SQL.flag, [ids, [1] * n]),
        "census_deliveries": (CONSERVATION.deliveries, ["2020-01-01", "", 500]),
        "census_jobs": (CONSERVATION.jobs, [ids[0], 45, 15, 11, 30, 500]),
        "census_unchanged": (CONSERVATION.unchanged, [ids, [1] * n, ["queued"] * n]),
        "census_ids": (CONSERVATION.without_job, [ids, 30]),
        "accept": (DELIVERIES.accept, ['[{"delivery_id": "d-1"}]', [], "[]"]),
        "known": (DELIVERIES.known, [["d-1", "d-2", "new"]]),
    }


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize(
    "name",
    [
        "start", "take_over", "finish", "pick_unrung", "pick_abandoned", "orders", "progress",
        "sla", "accept", "known", "census_deliveries", "census_jobs", "census_unchanged",
        "census_ids",
    ],
)  # fmt: skip
async def test_a_hot_statement_reads_no_whole_table(filled: Pool, name: str, generic: bool) -> None:
    sql, arguments = (await hot(filled))[name]
    takes = len(set(re.findall(r"\$\d+", sql)))
    arguments = [*arguments, *[None] * (takes - len(arguments))]
    found = await plan(filled, sql, *arguments, generic=generic)
    scanned = [n["Relation Name"] for n in found if n["Node Type"] == "Seq Scan"]
    assert not {"jobs", "webhook_events"} & set(scanned), found


async def test_a_plan_that_reads_a_whole_table_is_noticed(filled: Pool) -> None:
    found = await plan(filled, "SELECT * FROM jobs WHERE payload = '{}'", generic=False)
    assert [n["Relation Name"] for n in found if n["Node Type"] == "Seq Scan"] == ["jobs"]
