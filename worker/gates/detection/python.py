"""Checks of a Python project: its tools' own configuration, then tox, nox and mere dependencies."""

import re

from worker.gates.detection.data import table_in, text
from worker.gates.detection.found import Detection, Found, Hollow, Missing
from worker.gates.detection.project import Project
from worker.gates.detection.shell import why_it_cannot_fail
from worker.gates.detection.tools import asked
from worker.gates.files import Files
from worker.gates.model import Command, GateType

INTEGRATION = ("integration", "integration_tests", "integration-tests", "e2e", "functional")
NAMES: dict[GateType, tuple[str, ...]] = {
    "unit-tests": ("unit-tests", "unit_tests", "unit", "tests", "test", "pytest", "py", "py3"),
    "integration-tests": ("integration-tests", "integration_tests", "integration", "e2e"),
    "type-check": ("type-check", "typecheck", "type_check", "typing", "types", "type", "mypy"),
    "lint": ("lint", "linters", "linting", "style", "flake8", "ruff", "pep8", "check"),
}
_SESSION = re.compile(r"^@nox\.session\b([^\n]*)\n(?:[@ )][^\n]*\n)*def (\w+)\(", re.MULTILINE)
_SESSION_NAME = re.compile(r"\bname\s*=\s*[\"']([\w.-]+)[\"']")


def find(files: Files, gate: GateType) -> Detection:
    """The check of `gate` of the project at the root."""
    return in_project(Project(files, ""), gate)


def find_nested(files: Files, gate: GateType) -> Detection:
    """The check of the only project below the root that has one."""
    folders = sorted(
        {p.rpartition("/")[0] for p in files.walk("", 3) if p.endswith("/pyproject.toml")}
    )
    found = [(folder, in_project(Project(files, folder), gate)) for folder in folders]
    named = [(folder, check) for folder, check in found if not isinstance(check, Missing)]
    if len(named) == 1:
        return named[0][1]
    places = ", ".join(folder for folder, _ in named[:5])
    return Missing(f"several projects have one ({places})" if named else "")


def in_project(project: Project, gate: GateType) -> Detection:
    """The check of `gate`, by the plainest word the project gives."""
    if not project.exists:
        return Missing()
    direct = {
        "unit-tests": _unit, "integration-tests": _integration,
        "type-check": _types, "lint": _lint,
    }[gate]  # fmt: skip
    return (
        direct(project, True)
        or _tox(project, gate)
        or _nox(project, gate)
        or (direct(project, False) or Missing())
    )


def _found(project: Project, source: str, *words: str) -> Detection:
    # What the project itself holds is found, though it is not installed.
    environment = {"PYTHONPATH": "src:." if project.has_sources_apart else "."}
    command = Command(
        (*project.runner, *words), project.directory, project.at(source), environment=environment
    )
    return Found(asked(command, words))


def _pytest_source(project: Project, configured: bool) -> str | None:
    """Where the project says that its tests are pytest's."""
    if configured:
        if "pytest" in project.tool:
            return "pyproject.toml [tool.pytest]"
        named = {"tox.ini [pytest]": "pytest" in project.tox}
        named["setup.cfg [tool:pytest]"] = "tool:pytest" in project.setup
        return project.has("pytest.ini") or next((n for n, there in named.items() if there), None)
    if not project.test_files:
        return None
    return None if project.uses_unittest and "pytest" not in project.depends_on else "test files"


def _unit(project: Project, configured: bool) -> Detection | None:
    if source := _pytest_source(project, configured):
        apart = [f"--ignore={folder}" for folder in _integration_folders(project)]
        return _found(project, source, "pytest", *apart)
    if configured or not project.test_files:
        return None
    where = _where_unittest_starts(project)
    return _found(project, "test files", "python3", "-m", "unittest", "discover", "-v", *where)


def _where_unittest_starts(project: Project) -> tuple[str, ...]:
    folder, slash, _ = project.test_files[0].partition("/")
    if not slash:
        return ()
    package = project.files.is_file(project.at(f"{folder}/__init__.py"))
    return ("-s", folder, "-t", ".") if package else ("-s", folder)


def _integration(project: Project, configured: bool) -> Detection | None:
    source = _pytest_source(project, configured)
    if source is None:
        return None
    if folders := _integration_folders(project):
        return _found(project, source, "pytest", *folders)
    options = project.pytest_options()
    marked = re.search(r"^\W*integration\b", _lines(options.get("markers")), re.MULTILINE)
    chosen = re.search(r"(^|\s)-m\b", _lines(options.get("addopts")))
    if marked and not chosen:
        return _found(project, f"{source} markers", "pytest", "-m", "integration")
    return None


def _integration_folders(project: Project) -> list[str]:
    return project.test_folders(*INTEGRATION)


def _lines(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _types(project: Project, configured: bool) -> Detection | None:
    if configured:
        return _mypy(project) or _other_types(project)
    for name in ("mypy", "pyright", "basedpyright", "ty"):
        if name in project.depends_on:
            words = {"mypy": ("mypy", _sources(project)), "ty": ("ty", "check")}.get(name, (name,))
            return _found(project, f"dependency {name}", *words)
    return None


def _mypy(project: Project) -> Detection | None:
    ini = project.has("mypy.ini", ".mypy.ini")
    places = {
        "pyproject.toml [tool.mypy]": "mypy" in project.tool,
        ini or "mypy.ini": bool(ini),
        "setup.cfg [mypy]": "mypy" in project.setup,
    }
    source = next((place for place, there in places.items() if there), None)
    if source is None:
        return None
    table = table_in(project.tool, "mypy")
    content = text(project.files, project.at(ini)) or "" if ini else ""
    told = {"files", "packages", "modules"} & set(table) or re.search(
        r"^(files|packages|modules)\s*=", content, re.MULTILINE
    ) or "files" in project.setup.get("mypy", {})  # fmt: skip
    return _found(project, source, "mypy", *(() if told else (_sources(project),)))


def _sources(project: Project) -> str:
    return "src" if project.has_sources_apart else "."


def _other_types(project: Project) -> Detection | None:
    for name, words in (
        ("basedpyright", ("basedpyright",)), ("pyright", ("pyright",)), ("ty", ("ty", "check")),
    ):  # fmt: skip
        if name in project.tool:
            return _found(project, f"pyproject.toml [tool.{name}]", *words)
    own = project.has("pyrightconfig.json")
    return _found(project, own, "pyright") if own else None


def _lint(project: Project, configured: bool) -> Detection | None:
    depends = set() if configured else project.depends_on
    ruff = project.has("ruff.toml", ".ruff.toml")
    if ruff or "ruff" in project.tool or "ruff" in depends:
        source = ruff or ("dependency ruff" if "ruff" in depends else "pyproject.toml [tool.ruff]")
        return _found(project, source, "ruff", "check", "--no-fix", ".")
    if own := project.has(".flake8"):
        return _found(project, own, "flake8")
    for name, table in (("setup.cfg", project.setup), ("tox.ini", project.tox)):
        if "flake8" in table:
            return _found(project, f"{name} [flake8]", "flake8")
    pylint = project.has(".pylintrc", "pylintrc")
    if pylint or "pylint" in project.tool or "pylint" in depends:
        source = pylint or "pyproject.toml [tool.pylint]"
        return _found(project, source, "pylint", "--recursive=y", _sources(project))
    return _found(project, "dependency flake8", "flake8") if "flake8" in depends else None


def _tox(project: Project, gate: GateType) -> Detection | None:
    for name in NAMES[gate]:
        section = f"testenv:{name}"
        generic = name == "py" and "testenv" in project.tox
        if section not in project.tox and not generic:
            continue
        table = project.tox[section if section in project.tox else "testenv"]
        source = f"tox.ini [{section if section in project.tox else 'testenv'}]"
        if reason := _why_tox_cannot_fail(table):
            return Hollow(f"tox run -e {name}", project.at(source), reason)
        return _found(project, source, "tox", "run", "-e", name)
    return None


def _why_tox_cannot_fail(table: dict[str, str]) -> str | None:
    commands = [line.strip() for line in table.get("commands", "-").splitlines() if line.strip()]
    if "commands" not in table or not commands:
        return None
    harmless = (line.startswith("-") or why_it_cannot_fail(line) for line in commands)
    return "its commands are all ignored or cannot fail" if all(harmless) else None


def _nox(project: Project, gate: GateType) -> Detection | None:
    content = text(project.files, project.at("noxfile.py")) or ""
    sessions = set()
    for match in _SESSION.finditer(content):
        named = _SESSION_NAME.search(match[1])
        sessions.add(named[1] if named else match[2])
    for name in NAMES[gate]:
        if name in sessions:
            words = ("nox", "--non-interactive", "-s", name)
            return _found(project, f"noxfile.py session {name}", *words)
    return None
