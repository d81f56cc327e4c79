"""The JSON API: projects, jobs, artifacts, pages, and who may call it."""

import uuid
from typing import Any

import pytest

from tests.webhooks.service import Service, fresh, serving
from worker.jobs.queues import QUEUES

PROJECT = "01890a5d-ac96-774b-bcce-b302099a8057"
COMMIT = "a" * 40
DATA: dict[str, dict[str, Any]] = {
    "artifact_scan": {"projectId": PROJECT, "repoUrl": "https://example.org/x.git",
                      "branch": "main", "commitSha": COMMIT, "webhookEventId": "by-hand"},
    "conflict_detection": {"projectId": PROJECT, "artifactIds": ["1.2"]},
    "gate_evaluation": {"projectId": PROJECT, "storyId": "1.2", "gateType": "lint"},
    "analysis": {"projectId": PROJECT},
    "refactoring": {"projectId": PROJECT, "recipe": "rename"},
    "test_generation": {"projectId": PROJECT, "paths": ["a.py"]},
    "index": {"projectId": PROJECT},
    "blueprint": {"projectId": PROJECT, "commitSha": COMMIT},
    "webhook_delivery": {"orgId": "o", "endpointId": PROJECT, "messageId": PROJECT},
    "github_report": {"projectId": PROJECT, "commitSha": "a" * 40, "name": "switchyard/lint"},
    "missed_deliveries": {},
    "report_sweep": {},
    "cleanup": {"task": "old_clones"},
    "endpoint_probe": {"endpointId": PROJECT},
    "audit_event": {
        "event": {
            "id": "e", "action": "invoice.sent", "actor": {"type": "user", "id": "ada"},
            "occurredAt": "2026-03-29T00:00:00Z", "context": {}, "metadata": {},
        }
    },
    "usage_ingestion": {
        "orgId": "o", "events": [{"metric": "api.calls", "quantity": 1}], "batchId": "b",
    },
    "notification": {"orgId": "o", "type": "limit_exceeded", "data": {}},
    "auto_action": {"orgId": "o", "action": "block_api_key", "targetId": "k", "reason": "abuse"},
    "period_rollover": {},
    "usage_aggregation": {"period": "hour"},
    "dead_letter_cleanup": {},
    "retention": {},
}  # fmt: skip
KINDS = [(queue.name, kind) for queue in QUEUES.values() for kind in queue.kinds]
GOOD = {"name": "x", "repoUrl": "https://example.org/x.git", "repository": "a/b"}


@pytest.mark.parametrize(("queue", "kind"), KINDS)
async def test_a_job_of_every_kind_can_be_added(service: Service, queue: str, kind: str) -> None:
    named = {"kind": kind} if len(QUEUES[queue].kinds) > 1 else {}
    request = {"queue": queue, "data": DATA[kind], **named}
    answer = await service.call("POST", "/api/jobs/enqueue", json=request)
    assert answer.status == 200, answer.text
    job = (await service.call("GET", f"/api/jobs/{answer.body['jobId']}")).body
    assert answer.body["queue"] == queue
    assert answer.body["data"].items() >= DATA[kind].items()
    assert (job["queue"], job["kind"], job["state"]) == (queue, kind, "queued")
    assert (job["maxAttempts"], job["attempts"]) == (QUEUES[queue].attempts, [])
    assert job["projectId"] == DATA[kind].get("projectId")
    assert job["orgId"] == DATA[kind].get("orgId")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"data": {}}, "queue"),
        ({"queue": "nope", "data": {}}, "queue"),
        ({"queue": "indexing", "data": {"projectId": PROJECT}}, "kind"),
        ({"queue": "indexing", "kind": "analysis", "data": {"projectId": PROJECT}}, "kind"),
        ({"queue": "analysis", "data": []}, "data"),
        ({"queue": "analysis", "data": {}, "priority": "1"}, "priority"),
        ({"queue": "analysis", "data": {"projectId": "x"}}, "projectId"),
        ({"queue": "analysis", "data": {"projectId": PROJECT, "typo": 1}}, "typo"),
    ],
)
async def test_what_cannot_be_enqueued_names_the_field(
    service: Service, request_: dict[str, Any], field: str
) -> None:
    before = await service.counts()
    answer = await service.call("POST", "/api/jobs/enqueue", json=request_)
    assert answer.status == 400
    assert field in answer.error["fields"]
    assert await service.counts() == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"repository": "no-slash"}, "repository"),
        ({"repository": "a/.."}, "repository"),
        ({"repository": "a/b\n"}, "repository"),
        ({"plan": "gold"}, "plan"),
        ({"extra": 1}, "extra"),
        ({"repoUrl": "http://example.org/x.git"}, "repoUrl"),
        ({"repoUrl": "file:///etc"}, "repoUrl"),
        ({"repoUrl": "ext::sh -c id"}, "repoUrl"),
        ({"repoUrl": "--upload-pack=id"}, "repoUrl"),
        ({"repoUrl": "https://user:hunter2@example.org/x"}, "repoUrl"),
        ({"repoUrl": "https://token@example.org/x"}, "repoUrl"),
        ({"repoUrl": "https://-oProxy/x"}, "repoUrl"),
        ({"repoUrl": "https:///x"}, "repoUrl"),
        ({"repoUrl": "https://example.org"}, "repoUrl"),
        ({"repoUrl": "https://example.org:x/y"}, "repoUrl"),
        ({"repoUrl": "https://example.org/a\nb"}, "repoUrl"),
        ({"repoUrl": "https://example.org/a\u0085b"}, "repoUrl"),
    ],
)
async def test_what_cannot_be_enrolled_names_the_field(
    service: Service, change: dict[str, Any], field: str
) -> None:
    before = await service.counts()
    answer = await service.call("POST", "/api/projects", json=GOOD | change)
    assert (answer.status, list(answer.error["fields"])) == (400, [field])
    assert "hunter2" not in answer.text
    assert await service.counts() == before


async def test_a_repository_is_enrolled_once_in_any_case(service: Service) -> None:
    project = await service.enrol("Once/Only", plan="starter", orgId="o")
    again = await service.call("POST", "/api/projects", json=GOOD | {"repository": "once/only"})
    shown = await service.call("GET", f"/api/projects/{project['id']}")
    assert (again.status, again.error["code"]) == (409, "conflict")
    assert shown.body == project
    assert (project["plan"], project["orgId"], project["repositoryId"]) == ("starter", "o", None)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"name":"a","name":"b"}', b"\xff"])
async def test_an_api_body_must_be_one_json_object(service: Service, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await service.call("POST", "/api/projects", data=body, headers=headers)
    assert (answer.status, answer.error["code"]) == (400, "invalid_input")


async def test_an_api_body_must_say_that_it_is_json(service: Service) -> None:
    answer = await service.call("POST", "/api/projects", data=b"{}")
    assert answer.status == 415


async def test_jobs_are_filtered_and_paged_newest_first(service: Service) -> None:
    project = await service.enrol("paged/jobs")
    data = {"projectId": project["id"]}
    ids = [
        (await service.call("POST", "/api/jobs/enqueue", json={"queue": "analysis", "data": data}))
        .body["jobId"]
        for _ in range(5)
    ]  # fmt: skip
    path = f"/api/jobs?queue=analysis&kind=analysis&state=queued&projectId={project['id']}&limit=2"
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await service.call("GET", f"{path}{cursor and '&cursor=' + cursor}")).body
        assert len(page["items"]) <= 2
        seen += [job["id"] for job in page["items"]]
        cursor = page["next"]
    assert seen == sorted(ids, reverse=True)
    none = await service.call("GET", f"/api/jobs?projectId={project['id']}&state=dead")
    assert none.body == {"items": [], "next": None}


async def test_jobs_are_found_by_their_delivery(service: Service) -> None:
    answer = (await service.deliver(fresh())).body
    page = (await service.call("GET", f"/api/jobs?deliveryId={answer['deliveryId']}")).body
    assert [job["id"] for job in page["items"]] == [answer["jobs"][0]["id"]]


async def test_projects_are_paged_in_order(service: Service) -> None:
    ids = [(await service.enrol(f"paged/project-{n}"))["id"] for n in range(3)]
    seen, path = [], "/api/projects?limit=1"
    while path:
        page = (await service.call("GET", path)).body
        seen += [p["id"] for p in page["items"]]
        path = page["next"] and f"/api/projects?limit=1&cursor={page['next']}"
    assert [i for i in seen if i in ids] == ids
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=\u0661", "limit=", "cursor=!", "cursor=AAAA",
     "cursor=%00", "state=odd", "queue=odd", "kind=odd", "projectId=x", "unknown=1",
     "limit=1&limit=2", "deliveryId=%00"],
)  # fmt: skip
async def test_a_bad_query_is_refused(service: Service, query: str) -> None:
    answer = await service.call("GET", f"/api/jobs?{query}")
    assert (answer.status, answer.error["code"]) == (400, "invalid_input")
    assert list(answer.error["fields"]) == [query.partition("=")[0]]


@pytest.mark.parametrize("path", ["jobs", "projects"])
@pytest.mark.parametrize("id_", [PROJECT, "x", "%00", "-" * 300])
async def test_what_has_no_such_id_is_not_found(service: Service, path: str, id_: str) -> None:
    answer = await service.call("GET", f"/api/{path}/{id_}")
    assert (answer.status, answer.error["code"]) == (404, "not_found")


async def test_artifacts_are_those_of_a_branch(service: Service) -> None:
    project = await service.enrol("with/artifacts")
    path = f"/api/projects/{project['id']}/artifacts"
    assert (await service.call("GET", path)).body == {
        "items": [], "next": None, "branch": None, "commitSha": None, "scannedAt": None,
    }  # fmt: skip
    await _scan(service, project["id"], "main", ["c.md", "a.md", "b.md"])
    await _scan(service, project["id"], "other", ["z.md"])
    newest = (await service.call("GET", path)).body
    assert (newest["branch"], newest["items"][0]["path"]) == ("other", "z.md")
    await service.rows(
        "UPDATE projects SET default_branch = 'main' WHERE id = $1::text::uuid RETURNING id",
        project["id"],
    )
    first = (await service.call("GET", f"{path}?limit=2")).body
    rest = (await service.call("GET", f"{path}?limit=2&cursor={first['next']}")).body
    assert (first["branch"], first["commitSha"], rest["next"]) == ("main", COMMIT, None)
    assert [i["path"] for i in first["items"] + rest["items"]] == ["a.md", "b.md", "c.md"]
    assert first["items"][0] == {
        "id": "id-a.md", "path": "a.md", "blobSha": "sha-a.md", "kind": "story", "title": "T",
    }  # fmt: skip
    for query, count in [("kind=story", 3), ("kind=adr", 0), ("status=done", 3), ("status=x", 0),
                         ("branch=other", 1), ("branch=none", 0)]:  # fmt: skip
        assert len((await service.call("GET", f"{path}?{query}")).body["items"]) == count, query


async def test_nothing_is_enqueued_by_hand_in_production(database_url: str, redis_url: str) -> None:
    token = "a-token-for-production"
    async with serving(database_url, redis_url, ENVIRONMENT="production", API_TOKEN=token) as own:
        answer = await own.call(
            "POST", "/api/jobs/enqueue", json={"queue": "analysis", "data": DATA["analysis"]},
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        assert (answer.status, answer.error["code"]) == (403, "forbidden")
        assert await own.counts() == (0, 0, 0)


async def test_the_token_guards_everything_but_deliveries(
    database_url: str, redis_url: str
) -> None:
    token = "t\u00f6ken-of-the-api"
    async with serving(database_url, redis_url, API_TOKEN=token) as own:
        guarded = ["/api/jobs", "/api/projects", "/%61pi/jobs", "/api/nowhere", "/api/jobs/x"]
        refused = [await own.call("GET", path) for path in guarded]
        wrong = [f"Bearer {token}x", "Bearer", f"Basic {token}", "Bearer \u00e9", token]
        refused += [
            await own.call("GET", "/api/jobs", headers={"Authorization": value}) for value in wrong
        ]
        allowed = await own.call("GET", "/api/jobs", headers={"Authorization": f"bearer {token}"})
        delivered = await own.deliver(fresh())
        health = await own.call("GET", "/health")
        assert {a.status for a in refused} == {401}
        assert {a.headers["WWW-Authenticate"] for a in refused} == {'Bearer realm="switchyard"'}
        assert (allowed.status, delivered.status, health.status) == (200, 202, 200)


async def test_metrics_tell_of_deliveries(service: Service) -> None:
    await service.deliver(fresh())
    text = (await service.call("GET", "/metrics")).text
    labels = '{event="push",result="accepted",source="github"}'
    assert f"webhook_requests_total{labels}" in text
    assert 'webhook_request_duration_seconds_count{source="github"}' in text
    assert 'jobs_enqueued_total{queue="artifact-scan"}' in text


async def _scan(service: Service, project: str, branch: str, paths: list[str]) -> None:
    async with service.resources.pool.acquire() as connection:
        for path in paths:
            await connection.execute(
                "INSERT INTO artifacts (project_id, path, blob_sha, parser_version, kind,"
                " identifier, title, status, record)"
                " VALUES ($1, $2, 'sha-' || $2, 1, 'story', 'id-' || $2, 'T', 'done', $3)",
                uuid.UUID(project), path, {"kind": "story", "title": "T"},
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO branch_artifacts VALUES ($1, $2, $3, 'sha-' || $3)",
                uuid.UUID(project), branch, path,
            )  # fmt: skip
        await connection.execute(
            "INSERT INTO scans VALUES ($1, $2, $3, $3, 1, $1)", uuid.UUID(project), branch, COMMIT
        )
