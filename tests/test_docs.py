"""The documentation against the code: whatever it names has to exist, and tables are complete."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from aiohttp import web
from prometheus_client.metrics import MetricWrapperBase

from webhooks import api
from webhooks.github import endpoint
from worker import metrics
from worker.artifacts.families import FAMILIES
from worker.conflicts.checking import ALL_RULES
from worker.gates.model import GATE_TYPES, Verdict
from worker.jobs.queues import QUEUES, Queue
from worker.settings import Settings, load_settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = sorted(p for d in ("worker", "webhooks") for p in (ROOT / d).rglob("*.py"))
EVENT = re.compile(r"[a-z]+\.[a-z_]+")
FILE_SUFFIXES = (".md", ".py", ".toml", ".yml", ".txt")
LOUD = {"warning", "error", "exception", "critical"}
MINIMAL = {"DATABASE_URL": "postgresql://app@db/app", "REDIS_URL": "redis://cache"}


def code_spans(page: str) -> list[str]:
    """What stands between single backticks, outside code blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S))


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of every table row below a heading, without the tables' first two lines."""
    section = page.split(f"\n{heading}\n")[1].split("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\|\n)+", section, flags=re.M)
    lines = [line for table in tables for line in table.splitlines()[2:]]
    return [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def logged() -> set[str]:
    """Every dotted constant in the source, and every ending that an f-string's prefix may get."""
    found: set[str] = set()
    for path in SOURCES:
        nodes = list(ast.walk(tree(path)))
        words = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        prefixes = {w for w in words if re.fullmatch(r"[a-z]+\.", w)}
        found |= words | {prefix + word for prefix in prefixes for word in words}
    return {w for w in found if EVENT.fullmatch(w)}


def logged_loudly() -> Iterator[str]:
    """The events of calls such as `log.warning("event", …)`."""
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            match node:
                case ast.Call(func=ast.Attribute(attr=level), args=[ast.Constant(str(event)), *_]):
                    if level in LOUD and EVENT.fullmatch(event):
                        yield event


@pytest.mark.parametrize("page", [README, OPERATIONS], ids=["README", "operations"])
def test_log_events_named_are_logged(page: str) -> None:
    named = {s for s in code_spans(page) if EVENT.fullmatch(s) and not s.endswith(FILE_SUFFIXES)}
    assert named <= logged()


def test_every_warning_is_explained() -> None:
    explained = set(code_spans(OPERATIONS.split("\n## Log events\n")[1]))
    events = set(logged_loudly())
    assert len(events) > 10
    assert events <= explained


def metric_families() -> dict[str, list[str]]:
    """Every metric by the name that it is exposed under, with its labels."""
    named = vars(metrics).values()
    gauges = (m.gauge if isinstance(m, metrics.Fading) else m for m in named)
    found = [m for m in gauges if isinstance(m, MetricWrapperBase)]
    counted = {f"{m._name}{'_total' * (m._type == 'counter')}": [*m._labelnames] for m in found}
    distributions = [m for m in vars(metrics).values() if isinstance(m, metrics.Distribution)]
    return counted | {m.name: ["queue"] for m in distributions}


def test_the_metrics_table_is_complete() -> None:
    told = [
        re.fullmatch(r"`(\w+)(?:\{(.*)\})?`", row[0]) for row in rows(OPERATIONS, "### Metrics")
    ]
    assert {m[1]: (m[2] or "").split(",") if m[2] else [] for m in told if m} == metric_families()


def test_metrics_named_anywhere_are_registered() -> None:
    pages = README + OPERATIONS
    named = set(re.findall(r"\b[a-z_]+_(?:total|seconds)(?=_bucket|_count|_sum|\b)", pages))
    assert named
    assert named <= metric_families().keys()


def configuration() -> dict[str, str]:
    """The README's variables and their defaults."""
    return {row[0].strip("`"): row[1] for row in rows(README, "## Configuration")}


def test_the_configuration_table_is_complete() -> None:
    read = {name.upper() for name in Settings.model_fields if name != "queue_overrides"}
    told = configuration()
    assert {v for v in told if not v.startswith("QUEUE_<NAME>_")} == read
    overrides = {v.replace("<NAME>", "ANALYSIS"): "7" for v in told if "<NAME>" in v}
    settings = load_settings(MINIMAL | overrides)
    assert settings.queue_overrides == {
        "ANALYSIS": {"concurrency": 7, "attempts": 7, "timeout": 7, "sla": 7}
    }


def test_the_defaults_told_are_the_defaults() -> None:
    settings = load_settings(MINIMAL)
    for variable, told in configuration().items():
        if told.startswith("`") and told.endswith("`"):
            default = getattr(settings, variable.lower())
            shown = ",".join(default) if isinstance(default, list) else str(default)
            assert told == f"`{shown}`", variable
        elif told == "none":
            assert getattr(settings, variable.lower()) in (None, []), variable


def test_the_variables_in_examples_exist() -> None:
    names = re.findall(r"`(QUEUE_[A-Z_]+)=(\d+)`", README)
    assert names
    assert load_settings(MINIMAL | dict(names)).queue_overrides.keys() <= {
        name.upper().replace("-", "_").replace(":", "_") for name in QUEUES
    }


def queue_row(queue: Queue) -> list[str]:
    delays = [queue.backoff.delay(n) for n in range(1, queue.attempts)]
    backoff = f"{', '.join(f'{d:g}' for d in delays)} s" if delays else "none"
    sla = f"{queue.sla:g} s" if queue.sla else "none"
    return [f"`{queue.name}`", str(queue.attempts), backoff, str(queue.concurrency),
            f"{queue.timeout:g} s", sla]  # fmt: skip


def test_the_queue_table_is_the_policy_table() -> None:
    told = [row for row in rows(README, "## Queues and retries") if len(row) == 6]
    assert told == [queue_row(queue) for queue in QUEUES.values()]


def test_the_api_table_is_complete() -> None:
    router = web.UrlDispatcher()
    router.add_post(endpoint.PATH, endpoint.receive)
    api.add_routes(router)
    served = {f"`{r.method} {r.resource.canonical}`" for r in router.routes() if r.resource}
    assert {row[0] for row in rows(README, "## API")} == served


def test_make_targets_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    for page in PAGES:
        named = re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), flags=re.M)
        assert set(named) <= targets, page.name


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as they are made on GitHub."""
    titles = re.findall(r"^#+ (.+)$", page, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_decisions_are_numbered_and_say_why() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [p.name[:5] for p in pages] == [f"{n:04}-" for n in range(1, len(pages) + 1)]
    for page in pages:
        headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.M)
        assert headings[0].startswith(f"{page.name[:4]}. "), page.name
        assert headings[1:] == ["Context", "Decision", "Consequences"], page.name


def test_every_rule_is_described_as_it_is() -> None:
    page = (ROOT / "docs/conflicts.md").read_text()
    told = [[cell.strip("`") for cell in row] for row in rows(page, "## The rules")]
    assert told == [[r.code, r.name, r.severity, r.summary] for r in ALL_RULES]


def test_every_kind_of_document_is_named() -> None:
    named = set(code_spans((ROOT / "docs/documents.md").read_text()))
    assert {family.kind for family in FAMILIES} <= named


def test_every_gate_and_verdict_is_described() -> None:
    for page in ("gates", "github"):
        named = set(code_spans((ROOT / f"docs/{page}.md").read_text()))
        assert set(get_args(Verdict)) <= named
        assert {n.removeprefix("switchyard/") for n in named} >= set(GATE_TYPES)
