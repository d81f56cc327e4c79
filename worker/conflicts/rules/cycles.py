"""Circles in a directed graph."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

Graph = Mapping[str, Sequence[str]]


def cycles(graph: Graph) -> Iterator[list[str]]:
    """One shortest circle of each knot of nodes that reach each other, from its least node on.

    A node that only points at itself is no knot, and such edges are passed over.

    Takes time linear in the edges, but for the breadth-first search of each knot.
    """
    for knot in _knots(graph):
        if len(knot) > 1:
            yield _shortest_circle(graph, min(knot), knot)


def _shortest_circle(graph: Graph, start: str, knot: frozenset[str]) -> list[str]:
    before: dict[str, str] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for target in graph[node]:
            if target == start != node:
                return _path(before, start, node)
            if target in knot and target not in before:
                before[target] = node
                queue.append(target)
    raise AssertionError("a knot's nodes all reach each other")


def _path(before: Mapping[str, str], start: str, node: str) -> list[str]:
    path = [node]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]


def _knots(graph: Graph) -> Iterator[frozenset[str]]:
    """Strongly connected components (Kosaraju), without recursion."""
    order = _finishing_order(graph)
    backwards: dict[str, list[str]] = {node: [] for node in graph}
    for node, targets in graph.items():
        for target in targets:
            backwards[target].append(node)
    seen: set[str] = set()
    for node in reversed(order):
        if node not in seen:
            found = _reachable(backwards, node, seen)
            yield frozenset(found)


def _finishing_order(graph: Graph) -> list[str]:
    order: list[str] = []
    seen: set[str] = set()
    for root in sorted(graph):
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(graph[root]))]
        while stack:
            node, targets = stack[-1]
            unseen = next((target for target in targets if target not in seen), None)
            if unseen is None:
                order.append(node)
                stack.pop()
            else:
                seen.add(unseen)
                stack.append((unseen, iter(graph[unseen])))
    return order


def _reachable(graph: Graph, start: str, seen: set[str]) -> list[str]:
    seen.add(start)
    found = [start]
    for node in found:
        fresh = [target for target in graph[node] if target not in seen]
        seen.update(fresh)
        found.extend(dict.fromkeys(fresh))
    return found
