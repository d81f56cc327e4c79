"""The JSON API of artifacts."""

from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.webhooks.service import Service
from tests.webhooks.verdicts import FIRST, SECOND, Judged


@pytest.fixture
async def judged(service: Service) -> Judged:
    """A project with a few documents on two branches."""
    judged = await Judged.enrolled(service)
    await judged.scanned(FIRST, "other")
    await judged.scanned()
    await judged.document("docs/1.2.story.md", "a1", "story", "1.2", status="done", epic="1",
                          story="1.2")  # fmt: skip
    await judged.document("docs/1.3.story.md", "a2", "story", "1.3", status="draft", epic="1",
                          story="1.3", subtype="bmad4")  # fmt: skip
    await judged.document("adr/0001-keep.md", "a3", "adr", "1", status="accepted",
                          subtype="madr")  # fmt: skip
    await judged.document("docs/2.1.story.md", "a4", "story", "2.1", branch="other", epic="2")
    return judged


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["1", "1.2", "1.3"]),
        ("branch=other", ["2.1"]),
        ("branch=none", []),
        ("kind=story", ["1.2", "1.3"]),
        ("subtype=madr", ["1"]),
        ("status=done", ["1.2"]),
        ("epic=1", ["1.2", "1.3"]),
        ("epic=1&status=draft", ["1.3"]),
        ("story=1.3", ["1.3"]),
        ("pathPrefix=docs/", ["1.2", "1.3"]),
        ("pathPrefix=docs/1.2", ["1.2"]),
        ("text=ABOUT+1.2", ["1.2"]),
        ("text=0001-KEEP", ["1"]),
        ("text=%25", []),
    ],
)
async def test_artifacts_are_filtered(judged: Judged, query: str, ids: list[str]) -> None:
    body = await judged.get(f"/artifacts?{query}")
    assert [a["id"] for a in body["items"]] == ids
    assert body["next"] is None


async def test_artifacts_come_in_pages(judged: Judged) -> None:
    first = await judged.get("/artifacts?limit=2")
    rest = await judged.get(f"/artifacts?limit=2&cursor={first['next']}")
    paths = [a["path"] for a in first["items"] + rest["items"]]
    assert paths == ["adr/0001-keep.md", "docs/1.2.story.md", "docs/1.3.story.md"]
    assert (first["branch"], first["commitSha"], rest["next"]) == ("main", SECOND, None)


async def test_an_artifact_with_its_history_conflicts_and_gates(service: Service) -> None:
    judged = await Judged.enrolled(service)
    await judged.scanned()
    await judged.checked()
    await judged.document("old/1.2.md", "b1", "story", "1.2", status="draft", commit=FIRST,
                          stands=False)  # fmt: skip
    await judged.removed("old/1.2.md", SECOND)
    await judged.document("docs/1.2.md", "b0", "story", "0.9", commit=FIRST, stands=False)
    await judged.document("docs/1.2.md", "b2", "story", "1.2", status="done", story="1.2")
    await judged.document("docs/x.md", "b3", "story", "1.3", status="done", story="1.3")
    await judged.conflict("f1", path="docs/1.2.md", first=FIRST)
    await judged.conflict("f2", path="docs/x.md")
    await judged.conflict("f3", path="docs/1.2.md", resolved=SECOND)
    await judged.gate(verdict="fail", story="1.2")
    newest = await judged.gate(story="1.2")
    await judged.gate(story="1.3", gate_type="unit-tests")
    body = await judged.get("/artifacts/story/1.2")
    assert (body["branch"], body["commitSha"], body["alsoAt"]) == ("main", SECOND, [])
    assert (body["artifact"]["path"], body["artifact"]["title"]) == ("docs/1.2.md", "About 1.2")
    assert [(e["path"], e["blobSha"], e["status"], e["commitSha"]) for e in body["history"]] == [
        ("docs/1.2.md", "b2", "done", SECOND),
        ("old/1.2.md", None, None, SECOND),
        ("old/1.2.md", "b1", "draft", FIRST),
    ]
    assert [(c["fingerprint"], c["status"]) for c in body["conflicts"]] == [("f1", "persisting")]
    assert [(g["jobId"], g["gateType"], g["verdict"]) for g in body["gates"]] == [
        (str(newest), "lint", "pass")
    ]


async def test_two_documents_with_one_id_are_both_told(judged: Judged) -> None:
    await judged.document("z/copy.md", "c1", "adr", "1")
    body = await judged.get("/artifacts/adr/1")
    assert (body["artifact"]["path"], body["alsoAt"]) == ("adr/0001-keep.md", ["z/copy.md"])
    assert body["gates"] == []
    by_path = await judged.get(f"/artifacts/adr/{quote('z/copy.md', safe='')}")
    assert by_path["artifact"]["path"] == "z/copy.md"


@pytest.mark.parametrize(
    "path", ["story/9.9", "epic/1.2", "story/2.1", "story/1.2?branch=none", "story/%00"]
)
async def test_what_does_not_stand_there_is_not_found(judged: Judged, path: str) -> None:
    body = await judged.get(f"/artifacts/{path}", status=404)
    assert body["error"]["code"] == "not_found"


async def test_the_branch_can_be_chosen(judged: Judged) -> None:
    body = await judged.get("/artifacts/story/2.1?branch=other")
    assert (body["branch"], body["commitSha"]) == ("other", FIRST)


async def test_a_project_of_nobody(service: Service) -> None:
    for path in ("artifacts", "artifacts/story/1", "conflicts", "conflicts/x", "gates"):
        answer = await service.call("GET", f"/api/projects/{uuid4()}/{path}")
        assert answer.status == 404
