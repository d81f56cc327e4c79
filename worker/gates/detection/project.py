"""What a Python project says of itself: its tables, what it depends on, where its tests lie."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from worker.gates.detection.data import Table, as_table, sections, table_in, text, toml_table
from worker.gates.files import Files, joined

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_TEST_FILE = re.compile(r"(test_[^/]*|[^/]*_test|tests?)\.py")
_LOCKS = (
    ("uv.lock", ("uv", "run", "--frozen", "--no-sync")),
    ("poetry.lock", ("poetry", "run")),
    ("Pipfile.lock", ("pipenv", "run")),
    ("pdm.lock", ("pdm", "run")),
)
_SIGNS = (
    "pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "noxfile.py", "pytest.ini", "mypy.ini",
    ".mypy.ini", "pyrightconfig.json", "ruff.toml", ".ruff.toml", ".flake8", ".pylintrc",
)  # fmt: skip
MAX_TEST_FILES_READ = 20


@dataclass(frozen=True)
class Project:
    """The Python project in `directory`."""

    files: Files
    directory: str

    def at(self, name: str) -> str:
        """The path of a file of the project."""
        return joined(self.directory, name)

    def has(self, *names: str) -> str | None:
        """The first of these files that is there."""
        return next((name for name in names if self.files.is_file(self.at(name))), None)

    @property
    def exists(self) -> bool:
        """Whether there is a Python project at all."""
        return bool(self.has(*_SIGNS) or self._requirement_files)

    @cached_property
    def pyproject(self) -> Table:
        """pyproject.toml, empty where it cannot be read."""
        return toml_table(self.files, self.at("pyproject.toml")) or {}

    @cached_property
    def tool(self) -> Table:
        """The tool tables of pyproject.toml."""
        return table_in(self.pyproject, "tool")

    @cached_property
    def setup(self) -> dict[str, dict[str, str]]:
        """The sections of setup.cfg."""
        return sections(self.files, self.at("setup.cfg"))

    @cached_property
    def tox(self) -> dict[str, dict[str, str]]:
        """The sections of tox.ini."""
        return sections(self.files, self.at("tox.ini"))

    @cached_property
    def runner(self) -> tuple[str, ...]:
        """What the lock file says commands are run through."""
        places = (self.directory, "")
        found = (
            words for place in places for name, words in _LOCKS
            if self.files.is_file(joined(place, name))
        )  # fmt: skip
        return next(found, ())

    @cached_property
    def depends_on(self) -> frozenset[str]:
        """The names of all that it asks to be installed, for use or for development."""
        return frozenset(
            match[1].lower().replace("_", "-")
            for line in self._requirements()
            if (match := _REQUIREMENT.match(line))
        )

    def _requirements(self) -> Iterator[str]:
        project, poetry = table_in(self.pyproject, "project"), table_in(self.tool, "poetry")
        groups = [
            {"": project.get("dependencies")},
            table_in(project, "optional-dependencies"),
            table_in(self.pyproject, "dependency-groups"),
            {"": table_in(self.tool, "uv").get("dev-dependencies")},
            table_in(self.tool, "pdm", "dev-dependencies"),
        ]
        for group in groups:
            for listed in group.values():
                yield from (
                    (str(item) for item in listed if isinstance(item, str))
                    if isinstance(listed, list)
                    else ()
                )
        yield from table_in(poetry, "dependencies")
        yield from table_in(poetry, "dev-dependencies")
        for name in table_in(poetry, "group"):
            yield from table_in(poetry, "group", name, "dependencies")
        yield from table_in(toml_table(self.files, self.at("Pipfile")), "packages")
        yield from table_in(toml_table(self.files, self.at("Pipfile")), "dev-packages")
        for path in self._requirement_files:
            yield from (text(self.files, path) or "").splitlines()
        for option in ("tests_require", "install_requires"):
            yield from self.setup.get("options", {}).get(option, "").splitlines()
        for extra in self.setup.get("options.extras_require", {}).values():
            yield from extra.splitlines()

    @cached_property
    def _requirement_files(self) -> list[str]:
        names = self.files.names(self.directory)
        return [self.at(n) for n in names if re.fullmatch(r"[\w-]*requirements[\w-]*\.txt", n)]

    @cached_property
    def test_files(self) -> list[str]:
        """Paths, relative to the project, that look like tests."""
        start = len(self.directory) + 1 if self.directory else 0
        paths = (path[start:] for path in self.files.walk(self.directory, 5))
        return [path for path in paths if _TEST_FILE.fullmatch(path.rpartition("/")[2])]

    @cached_property
    def uses_unittest(self) -> bool:
        """Whether its tests are written for the standard library's runner."""
        paths = self.test_files[:MAX_TEST_FILES_READ]
        return any("unittest.TestCase" in (text(self.files, self.at(path)) or "") for path in paths)

    @cached_property
    def has_sources_apart(self) -> bool:
        """Whether its code lies below `src`."""
        return any(path.endswith(".py") for path in self.files.walk(self.at("src"), 3))

    def test_folders(self, *names: str) -> list[str]:
        """Folders of tests that bear one of `names`, relative to the project, outermost first."""
        found = set()
        for path in self.test_files:
            parts = path.split("/")[:-1]
            index = next((i for i, part in enumerate(parts) if part in names), None)
            if index is not None and parts[0] != "src":
                found.add("/".join(parts[: index + 1]))
        return sorted(found)

    def pytest_options(self) -> Table:
        """The settings of pytest, wherever they are; empty where there are none."""
        table = table_in(self.tool, "pytest")
        ini = sections(self.files, self.at("pytest.ini")).get("pytest", {})
        others = (self.tox.get("pytest", {}), self.setup.get("tool:pytest", {}))
        return as_table(table.get("ini_options")) or table or dict(ini or others[0] or others[1])
