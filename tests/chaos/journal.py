"""A second record, kept by triggers: every move of every job, and which process made it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from worker.database.pool import Pool
from worker.jobs.states import TRANSITIONS

PROCESS = "chaos.process"
TABLES = """
CREATE TABLE chaos_effects (
    job_id uuid, step text, attempt int, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job_id, step)
);
CREATE TABLE chaos_journal (
    number bigserial PRIMARY KEY, job_id uuid NOT NULL, was text, became text, attempt_was int,
    attempt int, crashed boolean, worker_was text, worker text,
    process text DEFAULT current_setting('chaos.process', true),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO chaos_journal (job_id, was, became, attempt_was, attempt, crashed, worker_was,
                               worker)
    VALUES (NEW.id, OLD.state, NEW.state, OLD.attempt, NEW.attempt, NEW.crashes > OLD.crashes,
            OLD.worker, NEW.worker);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_journal AFTER UPDATE ON jobs FOR EACH ROW
    WHEN ((OLD.state, OLD.attempt) IS DISTINCT FROM (NEW.state, NEW.attempt))
    EXECUTE FUNCTION chaos_note();
"""
_LEGAL = frozenset((a.value, b.value) for a, after in TRANSITIONS.items() for b in after)


def marked(url: str, process: int) -> str:
    """The address for one process: its connections say which one they belong to."""
    if not url.startswith("postgres"):
        return url
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, f"{PROCESS}={process}")))
    return urlunsplit(parts._replace(query=query))


async def check_journal(pool: Pool, pids: Sequence[int]) -> None:
    """Every move was legal, numbered without a gap, and made by whoever owned the job."""
    rows = await pool.fetch("SELECT * FROM chaos_journal ORDER BY job_id, number")
    wrong = [(fault, dict(row)) for row in rows if (fault := _fault(row, pids))]
    assert not wrong, f"{len(wrong)} moves are wrong, such as {wrong[:3]}"
    for before, after in pairwise(rows):
        if before["job_id"] == after["job_id"]:
            follows = (after["was"], after["attempt_was"]) == (before["became"], before["attempt"])
            assert follows, f"{dict(before)} is followed by {dict(after)}"


def _fault(row: Any, pids: Sequence[int]) -> str | None:
    starts = row["became"] == "running"
    if (row["was"], row["became"]) not in _LEGAL:
        return "an illegal move"
    if row["attempt"] - row["attempt_was"] != starts:
        return "an attempt that is not the next"
    if starts and not _belongs(row["worker"], row["process"], pids):
        return "started for another worker"
    if row["was"] == "running" and not starts and not row["crashed"]:
        return None if _belongs(row["worker_was"], row["process"], pids) else "a stale finish"
    return None


def _belongs(worker: str, process: str | None, pids: Sequence[int]) -> bool:
    return process is not None and worker.split(":")[1] == str(pids[int(process)])
