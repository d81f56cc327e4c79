"""`switchyard schedules`."""

import json

from tests.cli.conftest import Switchyard
from worker.database.pool import Pool
from worker.jobs.firing import Firing
from worker.jobs.payloads import PAYLOADS
from worker.jobs.queues import QUEUES
from worker.jobs.timetable import BUILT_IN

TIDY = ("tidy", "cleanup", "0 2 * * *", "--payload", '{"task": "old_clones"}')


async def test_schedules_are_listed(switchyard: Switchyard, record: Pool) -> None:
    assert (await switchyard("schedules", "list")).out == "none\n"
    await Firing(record, QUEUES, PAYLOADS).declare(BUILT_IN)
    await switchyard("schedules", "create", *TIDY, "--missed", "catch_up")
    await switchyard("schedules", "disable", "retention")
    ran = await switchyard("schedules", "list")
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in ran.out.splitlines()}
    assert list(lines)[1:] == sorted(["tidy", *(b.name for b in BUILT_IN)])
    assert lines["old-clones"].startswith("yes yes cleanup 0 2 * * * UTC skip - 2")
    assert lines["tidy"].startswith("yes no cleanup 0 2 * * * UTC catch_up - 2")
    assert lines["retention"] == "no yes retention 30 3 * * * UTC skip - -"


async def test_a_schedule_is_made_changed_run_and_deleted(switchyard: Switchyard) -> None:
    options = ("--timezone", "Europe/Warsaw", "--missed", "catch_up", "--disabled", "--json")
    made = (await switchyard("schedules", "create", *TIDY, *options)).json
    assert (made["timezone"], made["missed"], made["enabled"]) == (
        "Europe/Warsaw", "catch_up", False,
    )  # fmt: skip
    enabled = (await switchyard("schedules", "enable", "tidy", "--json")).json
    assert enabled["nextTick"] is not None
    payload = json.dumps({"task": "old_clones", "days": 9})
    changed = await switchyard(
        "schedules", "change", "tidy", "--cron", "@hourly", "--payload", payload, "--json"
    )
    assert (changed.json["cron"], changed.json["payload"]["days"]) == ("@hourly", 9)
    ran = (await switchyard("schedules", "run", "tidy", "--json")).json
    shown = (await switchyard("schedules", "show", "tidy")).out
    assert "timezone     Europe/Warsaw" in shown
    assert f"{ran['jobId']}  queued" in shown
    disabled = (await switchyard("schedules", "disable", "tidy", "--json")).json
    assert disabled["nextTick"] is None
    assert (await switchyard("schedules", "delete", "tidy")).out == "schedule tidy is deleted\n"
    gone = await switchyard("schedules", "show", "tidy")
    assert (gone.code, gone.err) == (1, "switchyard: There is no schedule 'tidy'.\n")


async def test_what_is_wrong_is_said_in_one_line(switchyard: Switchyard, record: Pool) -> None:
    for arguments, told in (
        (("create", "tidy", "cleanup", "0 0 30 2 *", "--payload", '{"task":"old_clones"}'), "cron"),
        (("create", "tidy", "cleanup", "@daily"), "payload.task"),
        (("create", "tidy", "cleanup", "@daily", "--payload", "{"), "JSON"),
        (("create", "Tidy", "nope", "@daily", "--missed", "maybe"), "queue"),
        (("change", "tidy"), "at least one"),
    ):
        ran = await switchyard("schedules", *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.count("\n") == 1
        assert told in ran.err
    await Firing(record, QUEUES, PAYLOADS).declare(BUILT_IN)
    ran = await switchyard("schedules", "delete", "retention")
    assert ran.code == 1
    assert "built in" in ran.err
