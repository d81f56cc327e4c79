"""Projects, as they are enrolled, found and learnt about."""

import pytest

from worker.database.pool import Pool
from worker.errors import Conflict, NotFound
from worker.jobs.ids import new_id
from worker.jobs.projects import Projects


@pytest.fixture
def projects(pool: Pool) -> Projects:
    return Projects(pool)


async def test_an_enrolled_project_can_be_read(projects: Projects) -> None:
    made = await projects.enrol("Ledger", "https://x/acme/ledger.git", "Acme/Ledger", "pro", "o-1")
    assert (made.name, made.repository, made.plan, made.org_id) == (
        "Ledger", "Acme/Ledger", "pro", "o-1",
    )  # fmt: skip
    assert (made.repository_id, made.default_branch) == (None, None)
    assert await projects.get(made.id) == made


async def test_a_repository_is_enrolled_once_whatever_its_case(projects: Projects) -> None:
    await projects.enrol("a", "u", "Acme/Ledger", "free", None)
    with pytest.raises(Conflict, match="acme/LEDGER is enrolled already"):
        await projects.enrol("b", "u", "acme/LEDGER", "free", None)


async def test_an_unknown_project_is_not_found(projects: Projects) -> None:
    missing = new_id()
    with pytest.raises(NotFound, match=str(missing)):
        await projects.get(missing)


async def test_projects_are_paged_in_order_of_enrolment(projects: Projects) -> None:
    made = [await projects.enrol(f"p{n}", "u", f"acme/p{n}", "free", None) for n in range(5)]
    made.sort(key=lambda p: p.id)
    assert await projects.page(None, 2) == made[:2]
    assert await projects.page(made[1].id, 10) == made[2:]


async def test_projects_match_by_name_in_any_case_or_by_id(projects: Projects) -> None:
    one = await projects.enrol("a", "u", "Acme/One", "free", None)
    two = await projects.enrol("b", "u", "acme/two", "free", None)
    await projects.learn([(two.id, 77, "trunk")])
    assert [p.id for p in await projects.matching(["ACME/ONE"], [])] == [one.id]
    assert [p.id for p in await projects.matching([], [77])] == [two.id]
    assert {p.id for p in await projects.matching(["acme/one", "acme/two"], [77])} == {
        one.id, two.id,
    }  # fmt: skip
    assert await projects.matching(["acme/three"], [78]) == []


async def test_a_repositorys_id_is_learnt_once_and_its_branch_anew(projects: Projects) -> None:
    made = await projects.enrol("a", "u", "acme/one", "free", None)
    await projects.learn([(made.id, 1, "main")])
    await projects.learn([(made.id, 2, "trunk")])
    await projects.learn([(made.id, None, None)])
    found = await projects.get(made.id)
    assert (found.repository_id, found.default_branch) == (1, "trunk")
