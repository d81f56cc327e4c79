"""Circles in graphs, against a slow and certain way to find them."""

from hypothesis import given
from hypothesis import strategies as st

from worker.conflicts.rules.cycles import cycles

NODES = "abcdefg"
GRAPHS = st.fixed_dictionaries({n: st.lists(st.sampled_from(NODES), max_size=3) for n in NODES})


def reachable(graph: dict[str, list[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += graph[node]
    return found


@given(GRAPHS)
def test_one_shortest_circle_for_each_knot(graph: dict[str, list[str]]) -> None:
    reach = {node: reachable(graph, node) for node in graph}
    knots = {frozenset(o for o in graph if o in reach[node] and node in reach[o]) for node in graph}
    circles = list(cycles(graph))
    assert {min(circle) for circle in circles} == {min(k) for k in knots if len(k) > 1}
    for circle in circles:
        assert circle[0] == min(circle)
        assert len(set(circle)) == len(circle) > 1
        for node, following in zip(circle, [*circle[1:], circle[0]], strict=True):
            assert following in graph[node]


def test_a_long_chain_needs_no_deep_stack() -> None:
    graph = {f"{n:05}": [f"{n + 1:05}"] for n in range(20_000)} | {"20000": ["00000"]}
    (circle,) = cycles(graph)
    assert len(circle) == 20_001
