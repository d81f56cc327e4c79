"""From the record to GitHub: what is shown when, once, and never left open."""

import asyncio
from uuid import UUID

import pytest

from tests.github.office import COMMIT, CONFLICTS, GATE, Office
from tests.support import eventually
from worker.errors import PermanentError
from worker.github.errors import GitHubRefused, GitHubUnavailable
from worker.github.logins import AppLogin
from worker.jobs.ids import new_id
from worker.jobs.model import Completed, Snooze
from worker.jobs.states import State


def problem(path: str, line: int, severity: str = "error", **more: object) -> dict[str, object]:
    return {"path": path, "line": line, "severity": severity, "message": "broken"} | more


async def test_a_gate_is_open_from_its_start_and_then_has_its_verdict(office: Office) -> None:
    job_id = await office.begun()
    await office.send()
    assert office.runs() == [("in_progress", None)]
    await office.evaluated(job_id)
    await office.send()
    assert office.runs() == [("completed", "success")]
    run = office.run()
    assert run["output"]["title"] == "pass: All 3 tests passed."
    assert run["external_id"] == f"{job_id}:1"
    assert (await office.row())["sent_state"] == "completed"


async def test_what_is_shown_already_is_not_sent_again(office: Office) -> None:
    await office.evaluated(await office.begun())
    await office.send()
    before = len(office.fake.requests)
    outcome = await office.send()
    assert isinstance(outcome, Completed)
    assert len(office.fake.requests) == before


async def test_what_is_open_and_shown_already_is_not_sent_again(office: Office) -> None:
    await office.begun()
    await office.send()
    before = len(office.fake.requests)
    outcome = await office.send()
    assert isinstance(outcome, Completed)
    assert outcome.message == "nothing has changed"
    assert len(office.fake.requests) == before


async def test_a_verdict_once_shown_is_not_taken_back_when_the_branch_goes_on(
    office: Office,
) -> None:
    job_id = await office.begun(State.COMPLETED, name=CONFLICTS)
    await compared(office, job_id)
    await office.send(CONFLICTS)
    await office.pool.execute("UPDATE conflict_checks SET commit_sha = $1", "e" * 40)
    await office.send(CONFLICTS)
    assert office.runs(CONFLICTS) == [("completed", "success")]


@pytest.mark.parametrize(
    ("verdict", "conclusion"),
    [
        ("fail", "failure"), ("error", "failure"), ("timeout", "timed_out"),
        ("vacuous", "neutral"), ("not_configured", "skipped"),
    ],
)  # fmt: skip
async def test_each_verdict_has_its_conclusion(
    office: Office, verdict: str, conclusion: str
) -> None:
    await office.evaluated(await office.begun(), verdict=verdict, reason="So it is.")
    await office.send()
    assert office.runs() == [("completed", conclusion)]
    assert office.run()["output"]["title"].startswith(verdict.replace("_", " "))


async def test_all_annotations_arrive_fifty_at_a_time(office: Office) -> None:
    diagnostics = [problem("src/a.py", n, column=3) for n in range(1, 173)]
    await office.evaluated(await office.begun(), verdict="fail", diagnostics=diagnostics)
    await office.send()
    assert [a["start_line"] for a in office.run()["annotations"]] == list(range(1, 173))
    assert [r.method for r in office.fake.requests if "check-runs" in r.path] == [
        "POST", "PATCH", "PATCH", "PATCH",
    ]  # fmt: skip
    assert office.runs() == [("completed", "failure")]


async def test_a_remark_without_a_place_in_the_repository_is_counted(office: Office) -> None:
    diagnostics = [problem("", 1), problem("/usr/lib/x.py", 1), problem("../x", 1),
                   problem("a.py", 0, endLine=3, column=9)]  # fmt: skip
    await office.evaluated(await office.begun(), verdict="fail", diagnostics=diagnostics)
    await office.send()
    [annotation] = office.run()["annotations"]
    assert (annotation["path"], annotation["start_line"]) == ("a.py", 1)
    assert "without a place in the repository: 3" in office.run()["output"]["summary"]


async def test_a_long_log_and_many_flaky_tests_are_cut_to_size(office: Office) -> None:
    log = "".join(f"line {n} ę```\n" for n in range(20_000))
    flaky = [f"test_{n}_{'x' * 2000}" for n in range(60)]
    await office.evaluated(await office.begun(), log=log, flaky=flaky)
    await office.send()
    output = office.run()["output"]
    assert output["text"].rstrip("`\n").endswith("line 19999 ę")
    assert "left out" in output["text"]
    assert "left out" in output["summary"]


async def test_awaiting_approval_asks_for_action(office: Office) -> None:
    job_id = await office.begun(State.COMPLETED)
    await office.evaluated(job_id, state="awaiting_approval", sender="somebody")
    await office.send()
    assert office.runs() == [("completed", "action_required")]
    assert "somebody" in office.run()["output"]["summary"]


async def test_an_approved_gate_is_shown_as_another_run(office: Office) -> None:
    first = await office.begun(State.COMPLETED)
    await office.evaluated(first, state="awaiting_approval")
    await office.send()
    await office.evaluated(await office.begun(), verdict="pass")
    await office.send()
    assert office.runs() == [("completed", "action_required"), ("completed", "success")]


async def test_an_open_run_is_taken_over_by_the_next_job(office: Office) -> None:
    await office.begun()
    await office.send()
    second = await office.begun()
    await office.evaluated(second)
    await office.send()
    assert office.runs() == [("completed", "success")]
    assert office.run()["external_id"] == f"{second}:1"


async def test_a_job_that_begins_while_another_ones_verdict_is_sent(office: Office) -> None:
    """Its own run is opened: what is completed is not opened again."""
    first = await office.begun()
    await office.evaluated(first, verdict="fail", diagnostics=[problem("a.py", 1)])
    entered, leave = office.fake.hold("/check-runs")
    sending = asyncio.create_task(office.send())
    await entered.wait()
    second = await office.begun()
    leave.set()
    await sending
    await office.send()
    assert office.runs() == [("completed", "failure"), ("in_progress", None)]
    await office.evaluated(second)
    await office.send()
    assert office.runs() == [("completed", "failure"), ("completed", "success")]
    assert office.repository.runs(GATE)[1]["annotations"] == []


async def test_a_job_retried_by_hand_while_its_death_is_sent(office: Office) -> None:
    job_id = await office.begun()
    await office.becomes(job_id, State.DEAD, "it broke")
    entered, leave = office.fake.hold("/check-runs")
    sending = asyncio.create_task(office.send())
    await entered.wait()
    await office.becomes(job_id, State.QUEUED)
    await office.begin(job_id)
    leave.set()
    await sending
    await office.send()
    assert office.runs() == [("completed", "failure"), ("queued", None)]


async def test_an_earlier_job_does_not_take_the_report_back(office: Office) -> None:
    early = await office.job()
    late = await office.begun()
    await office.begin(early)
    assert (await office.row())["job_id"] == late


@pytest.mark.parametrize(
    ("state", "conclusion", "words"),
    [
        (State.DEAD, "failure", "could not be evaluated: it broke"),
        (State.CANCELLED, "cancelled", "cancelled"),
        (State.SUPERSEDED, "cancelled", "superseded"),
        (State.COMPLETED, "neutral", "nothing to report"),
    ],
)
async def test_a_job_that_ended_without_a_verdict_is_not_left_open(
    office: Office, state: State, conclusion: str, words: str
) -> None:
    job_id = await office.begun()
    await office.send()
    await office.becomes(job_id, state, "it broke")
    await office.send()
    assert office.runs() == [("completed", conclusion)]
    assert office.run()["output"]["title"] == words


async def test_a_job_that_is_gone_is_not_left_open(office: Office) -> None:
    job_id = await office.begun()
    await office.send()
    await office.pool.execute("DELETE FROM jobs WHERE id = $1", job_id)
    await office.send()
    assert office.runs() == [("completed", "cancelled")]


async def test_a_dead_job_that_is_retried_gets_a_new_run(office: Office) -> None:
    job_id = await office.begun()
    await office.becomes(job_id, State.DEAD, "it broke")
    await office.send()
    await office.becomes(job_id, State.QUEUED)
    await office.begin(job_id)
    await office.send()
    await office.evaluated(job_id)
    await office.send()
    assert office.runs() == [("completed", "failure"), ("completed", "success")]


async def test_without_a_login_no_report_begins(office: Office) -> None:
    office.log_in()
    await office.begun()
    assert await office.pool.fetchval("SELECT count(*) FROM github_reports") == 0
    assert await office.pool.fetchval("SELECT count(*) FROM jobs WHERE kind = 'github_report'") == 0


async def test_with_a_login_that_is_gone_nobody_is_told(office: Office) -> None:
    await office.begun()
    office.log_in()
    outcome = await office.send()
    assert isinstance(outcome, Completed)
    assert office.fake.requests == []
    row = await office.row()
    assert row["sent_state"] == "unconfigured"
    assert row["problem"]
    assert await office.resources.github_reports.overdue(10) == []


async def test_a_refusal_is_final_and_says_what_to_do(office: Office) -> None:
    office.app.installations.clear()
    job_id = await office.begun()
    with pytest.raises(
        GitHubRefused, match=f"App 77 is not installed on {office.project.repository}"
    ):
        await office.send()
    row = await office.row()
    assert row["sent_state"] == "refused"
    assert "not installed" in row["problem"]
    await office.becomes(job_id, State.CANCELLED)
    assert await office.resources.github_reports.overdue(10) == []


async def test_a_login_that_cannot_be_used_is_a_refusal(office: Office) -> None:
    office.log_in(AppLogin("77", "not a key"))
    await office.begun()
    with pytest.raises(PermanentError, match="private key of App 77 cannot be read") as caught:
        await office.send()
    assert "not a key" not in str(caught.value)
    assert (await office.row())["sent_state"] == "refused"


async def test_a_lost_answer_to_creating_leaves_one_check_run(office: Office) -> None:
    job_id = await office.begun()
    await office.evaluated(job_id, verdict="fail", diagnostics=[problem("a.py", 1)])
    office.fake.mishap = lambda method, path: "lose" if path.endswith("/check-runs") else None
    with pytest.raises(GitHubUnavailable):
        await office.send()
    office.fake.mishap = lambda method, path: None
    await office.send()
    assert office.runs() == [("completed", "failure")]
    assert len(office.run()["annotations"]) == 1
    assert (await office.row())["check_run_id"] == office.run()["id"]


@pytest.mark.parametrize("what", ["lose", "fail"])
async def test_no_annotation_is_doubled_when_an_answer_is_lost(office: Office, what: str) -> None:
    diagnostics = [problem("a.py", n) for n in range(1, 171)]
    await office.evaluated(await office.begun(), verdict="fail", diagnostics=diagnostics)
    patches = iter(range(100))
    office.fake.mishap = lambda method, path: (
        what if method == "PATCH" and next(patches) == 1 else None
    )
    with pytest.raises(GitHubUnavailable):
        await office.send()
    assert office.runs() == [("completed", "failure")], "the conclusion came first"
    await office.send()
    assert [a["start_line"] for a in office.run()["annotations"]] == list(range(1, 171))


async def test_of_two_at_once_one_sends_and_the_other_waits(office: Office) -> None:
    await office.begun()
    entered, leave = office.fake.hold("/check-runs")
    first = asyncio.create_task(office.send())
    await entered.wait()
    assert isinstance(await office.send(), Snooze)
    leave.set()
    await first
    assert isinstance(await office.send(), Completed)
    assert office.runs() == [("in_progress", None)]
    assert len(office.fake.sent("POST", "/check-runs")) == 1


async def test_an_interrupted_sending_is_taken_up_by_the_next_attempt(office: Office) -> None:
    await office.begun()
    sender = new_id()
    entered, leave = office.fake.hold("/check-runs")
    first = asyncio.create_task(office.send(job_id=sender))
    await entered.wait()
    first.cancel()
    await asyncio.wait({first})
    leave.set()
    await eventually(lambda: office.fake.sent("POST", "/check-runs"))
    assert isinstance(await office.send(job_id=sender, attempt=2), Completed)
    assert office.runs() == [("in_progress", None)], "the first attempt's request came through"


async def test_a_killed_senders_report_is_another_jobs_only_after_a_while(office: Office) -> None:
    await office.begun()
    claim = await office.claim()
    assert isinstance(await office.send(), Snooze)
    await office.pool.execute("UPDATE github_reports SET sending_until = now()")
    assert isinstance(await office.send(), Completed)
    # The first one was not dead after all: what it says of its sending counts no more.
    await office.resources.github_reports.sent(claim, 1, "completed", "digest")
    assert (await office.row())["check_run_id"] == office.run()["id"]


async def test_a_token_writes_statuses_and_no_more_than_needed(office: Office) -> None:
    office.log_in_with_token()
    job_id = await office.begun(State.QUEUED)
    await office.send()
    await office.becomes(job_id, State.RETRYING)
    await office.send()
    await office.evaluated(job_id, verdict="fail", reason="x" * 300)
    await office.send()
    [(first, _), (second, description)] = office.statuses()
    assert (first, second) == ("pending", "failure")
    assert len(description) == 140


@pytest.mark.parametrize(
    ("verdict", "state"),
    [("pass", "success"), ("vacuous", "error"), ("not_configured", "success"),
     ("timeout", "failure"), ("error", "failure")],
)  # fmt: skip
async def test_a_vacuous_gate_has_no_green_status(office: Office, verdict: str, state: str) -> None:
    office.log_in_with_token()
    await office.evaluated(await office.begun(), verdict=verdict)
    await office.send()
    assert [s for s, _ in office.statuses()] == [state]


async def test_a_lost_answer_to_a_status_does_not_double_it(office: Office) -> None:
    office.log_in_with_token()
    await office.begun()
    office.fake.mishap = lambda method, path: "lose" if method == "POST" else None
    with pytest.raises(GitHubUnavailable):
        await office.send()
    office.fake.mishap = lambda method, path: None
    await office.send()
    assert office.statuses() == [("pending", "under way")]


async def conflict(
    office: Office, job_id: UUID, severity: str = "error", *, commit: str = COMMIT, n: int = 1,
    **fields: object,
) -> None:  # fmt: skip
    finding = {
        "code": "S1", "name": "done-with-open-tasks", "severity": severity, "confidence": "high",
        "message": "Story 1.1 is done, but a task is open", "fingerprint": f"{n:032}",
        "evidence": [
            {"path": "docs/story.md", "line": 5, "quote": "Status: Done"},
            {"path": "docs/tasks.md", "line": 12, "endLine": 13, "quote": "- [ ] `Task` 2"},
        ],
    } | fields  # fmt: skip
    await office.pool.execute(
        """INSERT INTO conflicts (project_id, branch, fingerprint, code, severity, key, finding,
                                  suppressed, first_seen_commit, found_by, last_seen_commit)
           VALUES ($1, 'main', $2, 'S1', $3, 'story:1.1', $4, $5, $6, $7, $6)""",
        office.project.id, f"{n:032}", severity, finding, finding.get("suppressed"), commit, job_id,
    )  # fmt: skip


async def compared(office: Office, job_id: UUID, commit: str = COMMIT) -> None:
    await office.pool.execute(
        "INSERT INTO conflict_checks VALUES ($1, 'main', $2, 't', 1, 1, $3)",
        office.project.id, commit, job_id,
    )  # fmt: skip


async def test_a_new_contradiction_fails_with_both_quotes_at_both_lines(office: Office) -> None:
    job_id = await office.begun(name=CONFLICTS)
    await compared(office, job_id)
    await conflict(office, job_id)
    await office.send(CONFLICTS)
    assert office.runs(CONFLICTS) == [("completed", "failure")]
    run = office.run(CONFLICTS)
    assert run["output"]["title"] == "1 new error"
    places = [(a["path"], a["start_line"], a["end_line"]) for a in run["annotations"]]
    assert places == [("docs/story.md", 5, 5), ("docs/tasks.md", 12, 13)]
    for annotation in run["annotations"]:
        assert "Status: Done" in annotation["message"]
        assert "- [ ] `Task` 2" in annotation["message"]


@pytest.mark.parametrize(
    ("severity", "old", "suppressed", "conclusion", "status"),
    [
        ("error", True, None, "neutral", "success"),
        ("warning", False, None, "neutral", "success"),
        ("info", False, None, "success", "success"),
        ("error", False, "known", "success", "success"),
        ("error", False, None, "failure", "failure"),
    ],
)  # fmt: skip
async def test_only_new_errors_fail(
    office: Office, severity: str, old: bool, suppressed: str | None, conclusion: str, status: str
) -> None:
    job_id = await office.begun(name=CONFLICTS)
    await compared(office, job_id)
    commit, found_by = ("d" * 40, new_id()) if old else (COMMIT, job_id)
    await conflict(office, found_by, severity, commit=commit, suppressed=suppressed)
    await office.send(CONFLICTS)
    assert office.runs(CONFLICTS) == [("completed", conclusion)]
    office.log_in_with_token()
    await office.begin(job_id, CONFLICTS)
    await office.send(CONFLICTS)
    assert [s for s, _ in office.statuses(CONFLICTS)] == [status]


async def test_no_contradiction_is_a_success(office: Office) -> None:
    job_id = await office.begun(name=CONFLICTS)
    await compared(office, job_id)
    await office.send(CONFLICTS)
    assert office.runs(CONFLICTS) == [("completed", "success")]


@pytest.mark.parametrize(("found", "conclusion"), [(True, "failure"), (False, "neutral")])
async def test_of_a_commit_that_the_branch_left_behind_its_own_errors_are_known(
    office: Office, found: bool, conclusion: str
) -> None:
    job_id = await office.begun(State.COMPLETED, name=CONFLICTS)
    await compared(office, new_id(), "e" * 40)
    await conflict(office, job_id if found else new_id(), commit=COMMIT if found else "e" * 40)
    await office.send(CONFLICTS)
    assert office.runs(CONFLICTS) == [("completed", conclusion)]


async def test_the_same_name_at_another_commit_is_another_report(office: Office) -> None:
    await office.begun()
    await office.begun(name=CONFLICTS)
    await office.send(GATE)
    assert office.runs(CONFLICTS) == []
