"""Logs: one format for everybody, and no secret in any line however it gets there."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from worker import logs
from worker.logs import bind, configure_logs
from worker.settings import load_settings

SETTINGS = load_settings(
    {
        "DATABASE_URL": "postgresql://u:pw-of-database@h/d",
        "REDIS_URL": "redis://:pw-of-redis@h",
        "GITHUB_WEBHOOK_SECRET": "webhook-secret-one,webhook-secret-one-and-more",
        "API_TOKEN": "token-of-the-api",
    }
)
SECRETS = SETTINGS.secrets()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave the process's logging as it was."""
    names = ("", "arq", "arq.worker")
    loggers = [logging.getLogger(n) for n in names]
    before = [(lg.handlers, lg.propagate, lg.level) for lg in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
    configure_logs(level="info", as_json=False)
    structlog.reset_defaults()
    for logger, (handlers, _, level) in zip(loggers, before, strict=True):
        logger.handlers = handlers
        logger.setLevel(level)


@pytest.fixture(params=["json", "console"])
def as_json(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "json")


class Odd:
    """Something whose text gives a secret away."""

    def __str__(self) -> str:
        return f"<Odd {SECRETS[0]}>"

    __repr__ = __str__


def raise_and_log(log: Any) -> None:
    try:
        raise ValueError(f"cannot reach {SECRETS[0]}")
    except ValueError:
        log.exception("thing.failed")


WAYS: dict[str, Any] = {
    "event": lambda log: log.warning(" ".join(("thing", SECRETS[0]))),
    "field": lambda log: log.warning("x", detail=f"a {SECRETS[0]} b"),
    "every secret": lambda log: log.warning("x", detail=" ".join(SECRETS)),
    "named field": lambda log: log.warning("x", api_token="hunter2"),
    "named password": lambda log: log.warning("x", Password="hunter2"),
    "named header": lambda log: log.warning("x", authorization="hunter2"),
    "url": lambda log: log.warning("x", url="https://user:hunter2@example.org/x"),
    "url with an at sign": lambda log: log.warning("x", url="https://user:hun@hunter2@example.org"),
    "two urls": lambda log: log.warning("x", urls="https://hunter2@a ssh://u:hunter2@b/c"),
    "nested": lambda log: log.warning("x", a={"b": [{"c": f"redis://:hunter2@h {SECRETS[0]}"}]}),
    "nested name": lambda log: log.warning("x", a={"password": "hunter2"}),
    "tuple": lambda log: log.warning("x", a=("https://u:hunter2@h",)),
    "object": lambda log: log.warning("x", error=Odd()),
    "error": lambda log: log.warning("x", error=ValueError(f"at {SECRETS[0]}")),
    "bytes": lambda log: log.warning("x", body=f"{SECRETS[0]}".encode()),
    "exception": raise_and_log,
}


@pytest.mark.parametrize("way", WAYS)
def test_no_secret_gets_through_structlog(
    way: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(level="info", as_json=as_json, secrets=SECRETS)
    WAYS[way](structlog.get_logger("x"))
    silent(capsys.readouterr().err)


STANDARD: dict[str, Any] = {
    "message": lambda log: log.warning("thing %s", SECRETS[0]),
    "url": lambda log: log.error("at %s", "https://u:hunter2@h/x"),
    "object": lambda log: log.warning("thing %s", Odd()),
    "exception": raise_and_log,
}


@pytest.mark.parametrize("way", STANDARD)
def test_no_secret_gets_through_the_standard_library(
    way: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(level="info", as_json=as_json, secrets=SECRETS)
    STANDARD[way](logging.getLogger("some.library"))
    written = capsys.readouterr().err
    silent(written)
    assert "some.library" in written


def silent(written: str) -> None:
    """Something was written, and no secret with it."""
    assert "redacted" in written
    assert [s for s in (*SECRETS, "hunter2", "-and-more") if s in written] == []


def test_a_json_line_is_one_object_with_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", as_json=True, secrets=SECRETS)
    structlog.get_logger("x").info("job.completed", seconds=0.5, n=[1, {"a": None}], ok=True)
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "job.completed", "level": "info", "seconds": 0.5, "n": [1, {"a": None}],
        "ok": True,
    }  # fmt: skip


def test_what_json_does_not_know_is_written_as_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", as_json=True)
    structlog.get_logger("x").info("x", some={1}, odd="\ud800", huge=2**80)
    assert json.loads(capsys.readouterr().err)["event"] == "x"


def test_a_standard_record_is_a_json_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", as_json=True)
    logging.getLogger("some.library").warning("it is %s", "late")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["logger"], line["level"]) == (
        "it is late",
        "some.library",
        "warning",
    )


@pytest.mark.parametrize(("level", "seen"), [("info", ["b", "c"]), ("error", ["c"])])
def test_the_level_is_kept(level: str, seen: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level=level, as_json=True)
    log = structlog.get_logger("x")
    log.debug("a")
    log.info("b")
    log.error("c")
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["event"] for line in lines] == seen


def test_arqs_own_logs_are_quiet_and_in_our_format(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", as_json=True)
    for name in ("arq", "arq.worker"):
        logging.getLogger(name).setLevel("INFO")
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("trouble")
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["trouble", "trouble"]


async def test_bound_fields_are_on_every_later_line_of_their_task_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(level="info", as_json=True)
    log = structlog.get_logger("x")

    async def work(number: int) -> None:
        bind(job_id=number, project_id=None)
        bind(attempt=1)
        await asyncio.sleep(0)
        log.info("from.task", n=number)

    await asyncio.gather(work(1), work(2))
    log.info("outside")
    # The lines of one turn of the event loop are written together.
    await asyncio.sleep(0)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(x.get("job_id"), x.get("attempt")) for x in lines] == [
        (1, 1), (2, 1), (None, None),
    ]  # fmt: skip
    assert not any("project_id" in x for x in lines)


def test_short_secrets_do_not_shred_the_logs(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level="info", as_json=True, secrets=["a", "job"])
    structlog.get_logger("x").info("job.completed")
    assert json.loads(capsys.readouterr().err)["event"] == "job.completed"
    assert logs.clean("a job") == "a job"


async def test_lines_of_one_turn_go_out_together_and_trouble_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(level="info", as_json=True)
    log = structlog.get_logger("x")
    log.info("first")
    assert capsys.readouterr().err == ""
    log.warning("second")
    assert [json.loads(x)["event"] for x in capsys.readouterr().err.splitlines()] == [
        "first", "second",
    ]  # fmt: skip
    log.info("third")
    logs.flush()
    assert json.loads(capsys.readouterr().err)["event"] == "third"
    await asyncio.sleep(0)
    await asyncio.to_thread(log.info, "from a thread")
    assert json.loads(capsys.readouterr().err)["event"] == "from a thread"


ROWS = [{"delivery_id": f"d-{n}", "reason": None, "jobs": "a, b"} for n in range(3)]


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "console"])
def test_many_lines_are_what_each_would_be(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    configure_logs(level="info", as_json=as_json, secrets=SECRETS)
    log = structlog.get_logger("x")
    logs.info_each(log, "webhook.accepted", ROWS)
    logs.flush()
    together = capsys.readouterr().err.splitlines()
    for row in ROWS:
        log.info("webhook.accepted", **row)
    logs.flush()
    alone = capsys.readouterr().err.splitlines()
    assert [without_time(x) for x in together] == [without_time(x) for x in alone]
    logs.info_each(log, "webhook.accepted", [])
    assert capsys.readouterr().err == ""


def without_time(line: str) -> object:
    if line.startswith("{"):
        return {n: v for n, v in json.loads(line).items() if n != "timestamp"}
    return line[line.index("[") :]


@pytest.mark.parametrize("level", ["warning", "error"])
def test_many_lines_below_the_level_are_not_written(
    capsys: pytest.CaptureFixture[str], level: str
) -> None:
    configure_logs(level=level, as_json=True)
    logs.info_each(structlog.get_logger("x"), "webhook.accepted", ROWS)
    logs.flush()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "odd",
    [
        {"delivery_id": "d", "reason": f"it is {SECRETS[0]}", "jobs": ""},
        {"delivery_id": "d", "reason": "https://user:pass@host/", "jobs": ""},
        {"delivery_id": "d", "reason": "\ud800", "jobs": ""},
        {"delivery_id": "d", "password": "hunter2", "jobs": ""},
    ],
    ids=["secret", "address", "surrogate", "name"],
)
def test_one_line_among_many_gives_nothing_away(
    capsys: pytest.CaptureFixture[str], odd: dict[str, str]
) -> None:
    configure_logs(level="info", as_json=True, secrets=SECRETS)
    first = [odd] if "password" in odd else ROWS
    logs.info_each(structlog.get_logger("x"), "webhook.accepted", [*first, odd])
    logs.flush()
    written = capsys.readouterr().err
    assert len(written.splitlines()) == len(first) + 1
    assert not any(s in written for s in (*SECRETS, "user:pass", "hunter2"))
