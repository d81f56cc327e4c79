"""The JSON API of what people do to jobs: adding, cancelling, retrying, and dead letters."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.jobs.records import added, placed, row, running, state_of
from tests.support import eventually
from tests.webhooks.service import Answer, Service, serving
from webhooks.api import ROUTES
from worker.database.pool import Pool
from worker.jobs.finishes import Failure
from worker.jobs.ids import new_id
from worker.jobs.ledger import Ledger
from worker.jobs.paging import packed
from worker.jobs.queues import QUEUES
from worker.jobs.ring import queue_keys
from worker.jobs.states import State

PROJECT = "01890a5d-ac96-774b-bcce-b302099a8057"
ANALYSIS = {"queue": "analysis", "data": {"projectId": PROJECT}}
FAR = packed(f"9999-12-31T23:59:59-23:59 {PROJECT}")
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def record(service: Service) -> Pool:
    return service.resources.pool


@pytest.fixture
def ledger(record: Pool) -> Ledger:
    return Ledger(record)


async def add(service: Service, **more: Any) -> Answer:
    return await service.call("POST", "/api/jobs/enqueue", json=ANALYSIS | more)


async def dead(ledger: Ledger, error: str = "no", **fields: Any) -> str:
    """The id of a job that died of this."""
    job = await running(ledger, **fields)
    await ledger.bury(job, Failure("failed", "ValueError", error, "Traceback"), ())
    return str(job.id)


async def is_rung(service: Service, queue: str, job_id: str) -> None:
    """Wait until the job's id is in its queue."""
    jobs: Any = service.resources.redis
    await eventually(lambda: jobs.hexists(queue_keys(queue).jobs, job_id))


async def test_a_job_takes_what_steers_it(service: Service, record: Pool) -> None:
    answer = await service.call(
        "POST", "/api/jobs/enqueue",
        json=ANALYSIS | {"priority": -3, "orgId": "acme", "concurrencyKey": "one-by-one"},
        headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
    )  # fmt: skip
    job = (await service.call("GET", f"/api/jobs/{answer.body['jobId']}")).body
    assert set(answer.body) == {"jobId", "queue", "data"}
    assert (job["priority"], job["orgId"], job["concurrencyKey"]) == (-3, "acme", "one-by-one")
    assert job["traceparent"].split("-")[1] == TRACE
    await is_rung(service, "analysis", job["id"])


async def test_a_job_of_a_project_competes_by_project_and_belongs_to_its_organisation(
    service: Service, record: Pool
) -> None:
    project = (await service.enrol("keyed/project", orgId="acme"))["id"]
    data = {"projectId": project}
    answer = await service.call(
        "POST", "/api/jobs/enqueue", json={"queue": "indexing", "kind": "index", "data": data}
    )
    job = await row(record, answer.body["jobId"])
    assert (job["concurrency_key"], job["org_id"]) == (f"project:{project}", "acme")


async def test_a_job_is_due_after_its_delay_or_at_its_time(service: Service, record: Pool) -> None:
    delayed = await row(record, (await add(service, delay=90.5)).body["jobId"])
    assert (delayed["run_at"] - delayed["created_at"]).total_seconds() == pytest.approx(90.5, abs=1)
    time = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    at = await row(record, (await add(service, runAt="2031-05-06T09:08:09+02:00")).body["jobId"])
    assert at["run_at"] == time


async def test_a_dedupe_key_adds_one_job(service: Service, record: Pool) -> None:
    first = await add(service, dedupeKey="only-once")
    other = {"queue": "cleanup", "data": {"task": "old_clones"}, "dedupeKey": "only-once"}
    again = await service.call("POST", "/api/jobs/enqueue", json=other)
    assert "duplicate" not in first.body
    assert again.body == first.body | {"duplicate": True}
    assert again.status == 200
    found = await service.rows("SELECT id FROM jobs WHERE dedupe_key = 'only-once'")
    assert [str(f["id"]) for f in found] == [first.body["jobId"]]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"priority": 101}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"priority": True}, "priority"),
        ({"delay": -1}, "delay"),
        ({"delay": "5"}, "delay"),
        ({"delay": 1e9}, "delay"),
        ({"runAt": "tomorrow"}, "runAt"),
        ({"runAt": "2030-01-01T00:00:00"}, "runAt"),
        ({"runAt": 1893456000}, "runAt"),
        ({"runAt": "0001-01-01T00:00:00+14:00"}, "runAt"),
        ({"runAt": "2030-01-01T00:00:00Z", "delay": 1}, "runAt"),
        ({"run_at": "2030-01-01T00:00:00Z"}, "run_at"),
        ({"orgId": ""}, "orgId"),
        ({"dedupeKey": "x" * 201}, "dedupeKey"),
        ({"concurrencyKey": 5}, "concurrencyKey"),
        ({"dedupeKey": "a\nb"}, "dedupeKey"),
    ],
)
async def test_what_cannot_steer_a_job_names_the_field(
    service: Service, more: dict[str, Any], field: str
) -> None:
    before = await service.counts()
    answer = await add(service, **more)
    assert (answer.status, list(answer.error["fields"])) == (400, [field])
    assert await service.counts() == before


async def test_an_organisation_must_be_that_of_the_payload(service: Service) -> None:
    data = {"orgId": "one", "events": [{"metric": "api.calls"}], "batchId": "b"}
    answer = await service.call(
        "POST", "/api/jobs/enqueue",
        json={"queue": "flagship:usage", "data": data, "orgId": "two"},
    )  # fmt: skip
    assert (answer.status, list(answer.error["fields"])) == (400, ["orgId"])


async def test_a_waiting_job_is_cancelled_at_once(
    service: Service, record: Pool, ledger: Ledger
) -> None:
    job = await added(ledger)
    answer = await service.call("DELETE", f"/api/jobs/{job.id}?reason=not%20needed")
    assert (answer.status, answer.body["state"]) == (200, "cancelled")
    assert (answer.body["cancelRequested"], answer.body["cancelReason"]) == (False, "not needed")
    again = await service.call("DELETE", f"/api/jobs/{job.id}")
    assert (again.status, again.error["code"]) == (409, "conflict")
    assert "cancelled already" in again.error["message"]


async def test_a_running_job_is_asked_to_end(
    service: Service, record: Pool, ledger: Ledger
) -> None:
    job = await running(ledger)
    for _ in range(2):
        answer = await service.call("DELETE", f"/api/jobs/{job.id}")
        assert (answer.status, answer.body["state"]) == (202, "running")
        assert answer.body["cancelRequested"] is True
        assert answer.body["cancelRequestedAt"] is not None


@pytest.mark.parametrize(
    "query", ["why=x", "reason=a&reason=b", "reason=", f"reason={'x' * 2001}", "reason=%00"]
)
async def test_a_cancellation_that_makes_no_sense_is_refused(
    service: Service, record: Pool, ledger: Ledger, query: str
) -> None:
    job = await added(ledger)
    answer = await service.call("DELETE", f"/api/jobs/{job.id}?{query}")
    assert (answer.status, list(answer.error["fields"])) == (400, [query.partition("=")[0]])
    assert await state_of(record, job.id) is State.QUEUED


@pytest.mark.parametrize("path", ["/api/jobs", "/api/dead-letters"])
async def test_a_dead_job_waits_again(
    service: Service, record: Pool, ledger: Ledger, path: str
) -> None:
    job = await dead(ledger)
    answer = await service.call("POST", f"{path}/{job}/retry")
    assert (answer.status, answer.body["state"]) == (200, "queued")
    assert [a["attempt"] for a in answer.body["attempts"]] == [1]
    await is_rung(service, "artifact-scan", job)
    again = await service.call("POST", f"{path}/{job}/retry")
    assert (again.status, again.error["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/jobs/{id}"),
        ("POST", "/api/jobs/{id}/retry"),
        ("GET", "/api/dead-letters/{id}"),
        ("POST", "/api/dead-letters/{id}/retry"),
        ("DELETE", "/api/dead-letters/{id}"),
    ],
)
@pytest.mark.parametrize("id_", [PROJECT, "x", "%00"])
async def test_what_has_no_such_id_is_not_found(
    service: Service, method: str, path: str, id_: str
) -> None:
    answer = await service.call(method, path.replace("{id}", id_))
    assert (answer.status, answer.error["code"]) == (404, "not_found")


async def test_dead_letters_are_filtered_and_paged(service: Service, ledger: Ledger) -> None:
    ids = [await dead(ledger, f"Lost {n}", org_id="letters") for n in range(3)]
    await dead(ledger, "Lost too", org_id="someone else")
    path = "/api/dead-letters?orgId=letters&errorType=ValueError&error=LOST&limit=2"
    first = (await service.call("GET", path)).body
    rest = (await service.call("GET", f"{path}&cursor={first['next']}")).body
    assert [d["id"] for d in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None
    assert first["items"][0]["lastAttempt"]["message"] == "Lost 2"
    assert "traceback" not in first["items"][0]["lastAttempt"]
    for absent in (
        "queue=webhooks", "kind=index", f"projectId={PROJECT}", "errorType=x",
        "deadBefore=2020-01-01T00:00:00Z", "deadAfter=2100-01-01T00:00:00Z",
    ):  # fmt: skip
        found = (await service.call("GET", f"/api/dead-letters?orgId=letters&{absent}")).body
        assert found == {"items": [], "next": None}, absent


async def test_a_dead_letter_shows_what_went_wrong_every_time(
    service: Service, record: Pool, ledger: Ledger
) -> None:
    job = await dead(ledger, "broken")
    shown = (await service.call("GET", f"/api/dead-letters/{job}")).body
    assert [(a["outcome"], a["traceback"]) for a in shown["attempts"]] == [("failed", "Traceback")]
    alive = await placed(record, State.COMPLETED)
    answer = await service.call("GET", f"/api/dead-letters/{alive.id}")
    assert (answer.status, answer.error["message"]) == (
        404,
        f"job {alive.id} is completed, and not dead",
    )


@pytest.mark.parametrize(
    "query",
    ["queue=x", "kind=x", "projectId=x", "deadAfter=x", "deadBefore=2030", "cursor=AAAA",
     "cursor=MjAyMA", f"cursor={FAR}", "all=true", "limit=0", "error=%07"],
)  # fmt: skip
async def test_a_bad_filter_is_refused(service: Service, query: str) -> None:
    answer = await service.call("GET", f"/api/dead-letters?{query}")
    assert (answer.status, list(answer.error["fields"])) == (400, [query.partition("=")[0]])


async def test_dead_letters_are_retried_by_filter_at_a_rate(
    service: Service, record: Pool, ledger: Ledger
) -> None:
    ids = [await dead(ledger, org_id="rated") for _ in range(3)]
    answer = await service.call(
        "POST", "/api/dead-letters/retry", json={"orgId": "rated", "ratePerSecond": 2}
    )
    due = [(await row(record, UUID(i)))["run_at"] for i in ids]
    assert (answer.status, answer.body["retried"]) == (200, 3)
    assert datetime.fromisoformat(answer.body["lastDueAt"]) == due[2]
    assert due[2] - due[0] == timedelta(seconds=1)
    for job in ids:
        await is_rung(service, "artifact-scan", job)
    none = await service.call("POST", "/api/dead-letters/retry", json={"orgId": "rated"})
    assert none.body == {"retried": 0, "lastDueAt": None}


async def test_dead_letters_are_discarded_one_or_many(
    service: Service, record: Pool, ledger: Ledger
) -> None:
    one, *more = [await dead(ledger, org_id="waste") for _ in range(3)]
    answer = await service.call("DELETE", f"/api/dead-letters/{one}")
    assert (answer.status, answer.body) == (200, {"discarded": 1})
    assert (await service.call("DELETE", f"/api/dead-letters/{one}")).status == 404
    many = await service.call("POST", "/api/dead-letters/discard", json={"orgId": "waste"})
    assert many.body == {"discarded": len(more)}
    alive = await added(ledger)
    refused = await service.call("DELETE", f"/api/dead-letters/{alive.id}")
    assert (refused.status, await state_of(record, alive.id)) == (409, State.QUEUED)


@pytest.mark.parametrize("action", ["retry", "discard"])
@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "all"), ({"all": False}, "all"), ({"all": 1}, "all"), ({"all": "true"}, "all"),
     ({"typo": 1}, "typo"), ({"queue": "x"}, "queue"), ({"deadBefore": 5}, "deadBefore")],
)  # fmt: skip
async def test_what_does_not_say_which_letters_is_refused(
    service: Service, record: Pool, ledger: Ledger, action: str, body: dict[str, Any], field: str
) -> None:
    job = await dead(ledger)
    answer = await service.call("POST", f"/api/dead-letters/{action}", json=body)
    assert (answer.status, list(answer.error["fields"])) == (400, [field])
    assert await state_of(record, UUID(job)) is State.DEAD


@pytest.mark.parametrize("rate", [0, -1, "5", 1e9, True])
async def test_a_rate_that_makes_no_sense_is_refused(service: Service, rate: Any) -> None:
    body = {"all": True, "ratePerSecond": rate}
    answer = await service.call("POST", "/api/dead-letters/retry", json=body)
    assert (answer.status, list(answer.error["fields"])) == (400, ["ratePerSecond"])


async def test_a_queue_is_paused_resumed_and_resized(service: Service, record: Pool) -> None:
    path = "/api/queues/flagship:audit"
    first = (await service.call("POST", f"{path}/pause", json={"reason": "stock-taking"})).body
    again = (await service.call("POST", f"{path}/pause")).body
    assert (first["pausedReason"], again["pausedAt"]) == ("stock-taking", first["pausedAt"])
    resumed = await service.call("POST", f"{path}/resume")
    assert (resumed.status, resumed.body["pausedAt"]) == (200, None)
    limits = {"concurrency": 3, "perKey": 2, "perOrganisation": 1,
              "rate": {"count": 10, "seconds": 0.5}}  # fmt: skip
    resized = (await service.call("PATCH", path, json=limits)).body
    assert resized["override"] == limits == resized["effective"]
    assert resized["policy"]["concurrency"] == QUEUES["flagship:audit"].concurrency
    reset = await service.call("PATCH", path, json={"perKey": None, "rate": None})
    assert reset.body["override"] == limits | {"perKey": None, "rate": None}
    escaped = await service.call("GET", path.replace(":", "%3A"))
    assert escaped.body["override"] == reset.body["override"]


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "(body)"), ({"concurrency": 0}, "concurrency"), ({"concurrency": "5"}, "concurrency"),
     ({"perKey": 1.5}, "perKey"), ({"rate": 5}, "rate"), ({"rate": {"count": 1}}, "rate.seconds"),
     ({"rate": {"count": 1, "seconds": 0}}, "rate.seconds"), ({"timeout": 5}, "timeout"),
     ({"per_key": 1}, "per_key")],
)  # fmt: skip
async def test_limits_that_make_no_sense_name_the_field(
    service: Service, body: dict[str, Any], field: str
) -> None:
    answer = await service.call("PATCH", "/api/queues/webhooks", json=body)
    assert (answer.status, list(answer.error["fields"])) == (400, [field])


@pytest.mark.parametrize(
    ("method", "more"), [("GET", ""), ("PATCH", ""), ("POST", "/pause"), ("POST", "/resume")]
)
async def test_an_unknown_queue_is_not_found(service: Service, method: str, more: str) -> None:
    body = {"json": {"concurrency": 1}} if method == "PATCH" else {}
    answer = await service.call(method, f"/api/queues/nope%00{more}", **body)
    assert (answer.status, answer.error["code"]) == (404, "not_found")


async def test_queues_tell_what_waits_and_who_works(
    service: Service, record: Pool, ledger: Ledger
) -> None:
    await record.execute(
        "INSERT INTO workers (id, host, pid, queues) VALUES ('w-here', 'h', 1, '{cleanup}')"
    )
    before = (await service.call("GET", "/api/queues/cleanup")).body
    day = timedelta(days=1)
    await added(ledger, queue="cleanup", kind="cleanup")
    await added(ledger, queue="cleanup", kind="cleanup", run_at=datetime.now(UTC) - day)
    await added(ledger, queue="cleanup", kind="cleanup", run_at=datetime.now(UTC) + day)
    after = (await service.call("GET", "/api/queues/cleanup")).body
    assert after["counts"]["queued"] - before["counts"]["queued"] == 3
    assert after["oldestDueSeconds"] == pytest.approx(86_400, abs=60)
    assert after["workers"] == ["w-here"]
    listed = (await service.call("GET", "/api/queues")).body["items"]
    assert [q["name"] for q in listed] == list(QUEUES)
    assert set(after["counts"]) == set(State)
    workers = (await service.call("GET", "/api/workers?limit=1")).body
    assert (workers["items"][0]["id"], workers["items"][0]["alive"]) == ("w-here", True)


async def test_every_route_of_the_api_asks_for_the_token(database_url: str, redis_url: str) -> None:
    async with serving(database_url, redis_url, API_TOKEN="a-token-of-the-api") as own:
        for route in ROUTES:
            path = route.path.replace("{id}", str(new_id())).replace("{name}", "webhooks")
            answer = await own.call(route.method, path)
            assert (answer.status, answer.error["code"]) == (401, "unauthorized"), path
