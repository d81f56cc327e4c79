"""The JSON API of gates."""

import json
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.webhooks.service import Answer, Service
from tests.webhooks.verdicts import FIRST, SECOND, Judged
from worker.jobs.gates import sender_of
from worker.jobs.ids import new_id


@pytest.fixture
async def judged(service: Service) -> Judged:
    return await Judged.enrolled(service)


async def post(judged: Judged, path: str = "", **body: Any) -> Answer:
    return await judged.service.call("POST", f"{judged.path}/gates{path}", json=body)


async def pushed_by(judged: Judged, sender: str | None, branch: str = "main") -> None:
    """A scan of a branch whose push is in the record."""
    job_id, delivery = await judged.scanned(FIRST, branch), str(uuid4())
    body = json.dumps({"sender": {"login": sender}} if sender else {}).encode()
    await judged.run(
        """INSERT INTO webhook_events (delivery_id, event, body, headers, project_id)
           VALUES ($2, 'push', $3, '{}', $1)""",
        delivery, body,
    )  # fmt: skip
    await judged.run(
        """INSERT INTO jobs (id, queue, kind, project_id, payload, max_attempts, delivery_id)
           VALUES ($2, 'artifact-scan', 'artifact_scan', $1, '{}', 3, $3)""",
        job_id, delivery,
    )  # fmt: skip


async def test_settings_have_defaults_and_are_set_as_a_whole(judged: Judged) -> None:
    defaults = {
        "onPush": [], "network": False, "prepare": False, "trustedSenders": [], "seconds": None,
        "memoryMb": None, "updatedAt": None,
    }  # fmt: skip
    assert await judged.get("/gates/settings") == defaults
    wanted = {"onPush": ["lint", "unit-tests", "lint"], "trustedSenders": ["ann", "bot[bot]", "*"],
              "network": True, "seconds": 300}  # fmt: skip
    answer = await judged.service.call("PUT", f"{judged.path}/gates/settings", json=wanted)
    assert answer.status == 200, answer.text
    assert answer.body["onPush"] == ["lint", "unit-tests"]
    assert answer.body == await judged.get("/gates/settings")
    answer = await judged.service.call("PUT", f"{judged.path}/gates/settings", json={})
    assert answer.body | {"updatedAt": None} == defaults


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"onPush": ["deploy"]}, "onPush.0"), ({"seconds": 0}, "seconds"),
        ({"seconds": 3000}, "seconds"), ({"memoryMb": 1}, "memoryMb"),
        ({"trustedSenders": ["a b"]}, "trustedSenders.0"), ({"network": "yes"}, "network"),
        ({"nope": 1}, "nope"),
    ],
)  # fmt: skip
async def test_wrong_settings_are_refused(
    judged: Judged, wrong: dict[str, Any], field: str
) -> None:
    answer = await judged.service.call("PUT", f"{judged.path}/gates/settings", json=wrong)
    assert answer.status == 400
    assert [*answer.error["fields"]] == [field]


async def test_naming_a_commit_approves_it(judged: Judged) -> None:
    answer = await post(judged, gateType="lint", commitSha=FIRST, storyId="1.2")
    assert answer.status == 202, answer.text
    assert answer.body["data"] == {
        "projectId": str(judged.id), "gateType": "lint", "commitSha": FIRST, "storyId": "1.2",
        "approvedBy": "api",
    }  # fmt: skip
    [job] = await judged.service.rows("SELECT * FROM jobs WHERE project_id = $1", judged.id)
    assert (str(job["id"]), job["kind"], job["state"]) == (
        answer.body["jobId"], "gate_evaluation", "queued",
    )  # fmt: skip
    shown = await judged.get(f"/gates/{job['id']}")
    assert (shown["state"], shown["verdict"], shown["storyId"]) == ("queued", None, "1.2")
    assert (await judged.get("/gates"))["items"] == []


async def test_the_newest_push_is_meant_without_a_commit(judged: Judged) -> None:
    await pushed_by(judged, "mallory")
    answer = await post(judged, gateType="unit-tests")
    assert answer.body["data"] == {
        "projectId": str(judged.id), "gateType": "unit-tests", "commitSha": FIRST,
        "branch": "main", "sender": "mallory",
    }  # fmt: skip
    await pushed_by(judged, None, "other")
    answer = await post(judged, gateType="unit-tests", branch="other")
    assert (answer.body["data"]["branch"], "sender" in answer.body["data"]) == ("other", False)


async def test_a_project_of_nobody_has_no_gates(judged: Judged) -> None:
    nobody = Judged(judged.service, new_id())
    for wanted in ({"gateType": "lint"}, {"gateType": "lint", "commitSha": FIRST}):
        assert (await post(nobody, **wanted)).status == 404
    answer = await judged.service.call("PUT", f"{nobody.path}/gates/settings", json={})
    assert answer.status == 404
    await nobody.get("/gates/settings", 404)


async def test_where_nothing_was_scanned_a_commit_is_needed(judged: Judged) -> None:
    for more in ({}, {"branch": "main"}):
        answer = await post(judged, gateType="lint", **more)
        assert (answer.status, answer.error["code"]) == (409, "conflict")
        assert "name a commit" in answer.error["message"]


@pytest.mark.parametrize(
    "wrong", [{}, {"gateType": "x"}, {"gateType": "lint", "commitSha": "HEAD"},
              {"gateType": "lint", "approvedBy": "me"}, {"gateType": "lint", "sender": "ann"}],
)  # fmt: skip
async def test_wrong_requests_are_refused(judged: Judged, wrong: dict[str, Any]) -> None:
    answer = await post(judged, **wrong)
    assert (answer.status, answer.error["code"]) == (400, "invalid_input")


async def test_evaluations_are_listed_and_filtered(judged: Judged) -> None:
    failed = await judged.gate(verdict="fail", story="1.2", gate_type="unit-tests")
    passed = await judged.gate(commit=FIRST, branch="other", counts={"total": 3, "passed": 3})
    ids = {"failed": str(failed), "passed": str(passed)}
    for query, names in (
        ("", ["passed", "failed"]), ("story=1.2", ["failed"]), ("gateType=lint", ["passed"]),
        ("verdict=fail", ["failed"]), (f"commit={FIRST}", ["passed"]), ("branch=other", ["passed"]),
        ("verdict=vacuous", []),
    ):  # fmt: skip
        body = await judged.get(f"/gates?{query}")
        assert [g["jobId"] for g in body["items"]] == [ids[n] for n in names], query
    first = await judged.get("/gates?limit=1")
    assert first["items"][0]["counts"] == {"total": 3, "passed": 3}
    rest = await judged.get(f"/gates?limit=1&cursor={first['next']}")
    assert [g["jobId"] for g in rest["items"]] == [str(failed)]


async def test_one_evaluation_has_its_diagnostics_and_its_log(judged: Judged) -> None:
    diagnostic = {"path": "a.py", "line": 3, "severity": "error", "message": "no", "rule": "E1"}
    job_id = await judged.gate(
        verdict="fail", diagnostics=[diagnostic], log="boom", command="ruff check", exitCode=1,
        durationMs=12, environment={"python": "3.11"}, source="pyproject.toml [tool.ruff]",
    )  # fmt: skip
    body = await judged.get(f"/gates/{job_id}")
    assert body["diagnostics"] == [diagnostic]
    assert (body["log"], body["exitCode"], body["durationMs"]) == ("boom", 1, 12)
    assert (body["reason"], body["state"], body["flaky"]) == ("All is well.", "done", [])
    other = await Judged.enrolled(judged.service)
    assert (await other.get(f"/gates/{job_id}", 404))["error"]["code"] == "not_found"
    assert (await judged.get("/gates/nope", 404))["error"]["code"] == "not_found"


async def test_only_a_gate_of_the_project_is_shown(judged: Judged) -> None:
    asked, other = new_id(), await Judged.enrolled(judged.service)
    await judged.job(asked, "queued")
    assert (await judged.get(f"/gates/{asked}"))["state"] == "queued"
    await other.get(f"/gates/{asked}", 404)
    await judged.run("UPDATE jobs SET kind = 'artifact_scan' WHERE project_id = $1")
    await judged.get(f"/gates/{asked}", 404)


@pytest.mark.parametrize(
    ("job_state", "shown"),
    [("running", "running"), ("retrying", "retrying"), ("queued", "queued"), ("dead", "dead"),
     ("cancelled", "cancelled"), ("superseded", "superseded"), (None, "lost")],
)  # fmt: skip
async def test_an_evaluation_without_an_end_is_as_its_job(
    judged: Judged, job_state: str | None, shown: str
) -> None:
    job_id = await judged.gate("running", None, job_state=job_state)
    assert (await judged.get(f"/gates/{job_id}"))["state"] == shown
    assert (await judged.get("/gates"))["items"][0]["state"] == shown


async def test_what_waits_is_approved_once_and_runs_as_another_job(judged: Judged) -> None:
    waiting = await judged.gate("awaiting_approval", None, story="1.2", job_state="completed")
    assert (await judged.get(f"/gates/{waiting}"))["state"] == "awaiting_approval"
    answer = await post(judged, f"/{waiting}/approve", by="Ann")
    assert answer.status == 202, answer.text
    assert answer.body["data"] == {
        "projectId": str(judged.id), "gateType": "lint", "storyId": "1.2", "branch": "main",
        "commitSha": SECOND, "sender": "ann", "approvedBy": "Ann",
    }  # fmt: skip
    shown = await judged.get(f"/gates/{waiting}")
    assert (shown["state"], shown["approvedBy"]) == ("approved", "Ann")
    again = await judged.service.call("POST", f"{judged.path}/gates/{waiting}/approve")
    assert again.status == 202
    assert (again.body["jobId"], again.body["duplicate"]) == (answer.body["jobId"], True)
    assert again.body["data"]["approvedBy"] == "Ann"
    assert (await judged.get(f"/gates/{waiting}"))["approvedBy"] == "Ann"


async def test_only_what_waits_can_be_approved(judged: Judged) -> None:
    done = await judged.gate()
    answer = await post(judged, f"/{done}/approve")
    assert (answer.status, answer.error["code"]) == (409, "conflict")
    assert "is done" in answer.error["message"]
    assert (await post(judged, f"/{new_id()}/approve")).status == 404


@pytest.mark.parametrize(
    ("body", "sender"),
    [
        (b'{"sender": {"login": "ann"}}', "ann"),
        (urlencode({"payload": '{"sender": {"login": "ann"}}'}).encode(), "ann"),
        (b'{"sender": {"login": 7}}', None), (b'{"sender": "ann"}', None), (b"{}", None),
        (b'{"sender"', None), (b"\xff\xfe", None), (b"", None), (b"payload=", None), (b"[]", None),
    ],
)  # fmt: skip
def test_the_sender_of_a_delivery(body: bytes, sender: str | None) -> None:
    assert sender_of(body) == sender
