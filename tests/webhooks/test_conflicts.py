"""The JSON API of conflicts."""

import pytest

from tests.webhooks.service import Service
from tests.webhooks.verdicts import FIRST, SECOND, Judged


@pytest.fixture
async def judged(service: Service) -> Judged:
    """A project with a conflict of every status."""
    judged = await Judged.enrolled(service)
    await judged.checked()
    await judged.conflict("f-new", code="S2", severity="warning")
    await judged.conflict("f-old", first=FIRST)
    await judged.conflict("f-allowed", suppressed="agreed with Ann", path="docs/b.md")
    await judged.conflict("f-gone", first=FIRST, resolved=SECOND)
    await judged.conflict("f-note", severity="info", code="H1", first=FIRST, path="docs/b.md")
    return judged


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["f-allowed", "f-old", "f-new", "f-note"]),
        ("status=new", ["f-new"]),
        ("status=persisting", ["f-old", "f-note"]),
        ("status=resolved", ["f-gone"]),
        ("status=suppressed", ["f-allowed"]),
        ("severity=error", ["f-allowed", "f-old"]),
        ("code=H1", ["f-note"]),
        ("path=docs/b.md", ["f-allowed", "f-note"]),
        ("path=docs", []),
        ("branch=none", []),
    ],
)
async def test_conflicts_are_filtered_and_the_worst_come_first(
    judged: Judged, query: str, found: list[str]
) -> None:
    body = await judged.get(f"/conflicts?{query}")
    assert [c["fingerprint"] for c in body["items"]] == found


async def test_conflicts_come_in_pages(judged: Judged) -> None:
    seen, cursor = [], ""
    for _ in range(4):
        body = await judged.get(f"/conflicts?limit=1{cursor}")
        seen += [c["fingerprint"] for c in body["items"]]
        cursor = f"&cursor={body['next']}"
    assert seen == ["f-allowed", "f-old", "f-new", "f-note"]
    assert body["next"] is None
    assert (body["branch"], body["commitSha"]) == ("main", SECOND)


async def test_one_conflict_tells_both_sides(judged: Judged) -> None:
    body = await judged.get("/conflicts/f-gone")
    assert (body["status"], body["resolvedCommit"], body["code"]) == ("resolved", SECOND, "S1")
    assert body["evidence"][0]["quote"] == "Status: Done"
    assert (body["expected"], body["actual"], body["fix"]) == (None, "Done", None)
    allowed = await judged.get("/conflicts/f-allowed?branch=main")
    assert (allowed["status"], allowed["suppressed"]) == ("suppressed", "agreed with Ann")


@pytest.mark.parametrize("path", ["nope", "f-new?branch=other", "%00"])
async def test_what_is_not_there_is_not_found(judged: Judged, path: str) -> None:
    assert (await judged.get(f"/conflicts/{path}", status=404))["error"]["code"] == "not_found"


async def test_before_the_first_comparison_there_is_nothing(service: Service) -> None:
    judged = await Judged.enrolled(service)
    body = await judged.get("/conflicts")
    assert body == {
        "items": [], "next": None, "branch": None, "commitSha": None, "checkedAt": None
    }  # fmt: skip


@pytest.mark.parametrize(
    "query", ["status=open", "severity=bad", "limit=0", "what=x", "cursor=%C2"]
)
async def test_wrong_parameters_are_refused(judged: Judged, query: str) -> None:
    assert (await judged.get(f"/conflicts?{query}", status=400))["error"]["fields"]
