"""How each package manager installs exactly what a lock file says, and where it puts it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import MappingProxyType

from worker.gates.files import Files, joined

KEPT = ".switchyard-dependencies"
MAX_FILE_BYTES = 64 * 1024 * 1024
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NODE = ("package.json", ".npmrc", ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml", "bunfig.toml")
_PYTHON = ("pyproject.toml", "poetry.toml", "uv.toml", ".python-version")
# Names whose copies in the folders below belong to the same installation: workspaces.
_REPEATED = frozenset({"package.json", "Cargo.toml", "go.mod", "pyproject.toml"})
WORKSPACE_DEPTH = 4


@dataclass(frozen=True)
class Recipe:
    """One tool's way. Paths are relative to the folder of the lock file.

    `inputs` are the files that the outcome depends on, besides `lock`; `outputs` the folders that
    hold it. In `environment` and `afterwards`, which is the check's, `{here}` is that folder.
    Install scripts of packages are not run wherever the tool can leave them out.
    """

    lock: str
    tool: str
    install: tuple[str, ...]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    afterwards: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    accepts: Callable[[bytes], bool] = bool


def _has_hashes(lock: bytes) -> bool:
    return b"--hash=" in lock


def _is_berry(lock: bytes) -> bool:
    return b"__metadata:" in lock


def _is_classic(lock: bytes) -> bool:
    return not _is_berry(lock)


def _node(lock: str, tool: str, *install: str, accepts: Callable[[bytes], bool] = bool) -> Recipe:
    return Recipe(lock, tool, (tool, *install), ("node_modules",), _NODE, accepts=accepts)


_VENV = {"VIRTUAL_ENV": "{here}/.venv", "PATH": "{here}/.venv/bin:{path}"}
_CARGO = {"CARGO_HOME": f"{{here}}/{KEPT}/cargo"}
_GO = {"GOMODCACHE": f"{{here}}/{KEPT}/go"}

RECIPES = (
    _node("pnpm-lock.yaml", "pnpm", "install", "--frozen-lockfile", "--ignore-scripts"),
    _node("package-lock.json", "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
    _node("npm-shrinkwrap.json", "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
    _node("yarn.lock", "yarn", "install", "--immutable", "--mode=skip-build", accepts=_is_berry),
    _node("yarn.lock", "yarn", "install", "--frozen-lockfile", "--ignore-scripts",
          accepts=_is_classic),
    _node("bun.lock", "bun", "install", "--frozen-lockfile", "--ignore-scripts"),
    _node("bun.lockb", "bun", "install", "--frozen-lockfile", "--ignore-scripts"),
    Recipe("uv.lock", "uv", ("uv", "sync", "--frozen", "--no-install-workspace"), (".venv",),
           _PYTHON, {"UV_LINK_MODE": "copy", "UV_PYTHON_DOWNLOADS": "never"}, _VENV),
    Recipe("poetry.lock", "poetry", ("poetry", "install", "--no-root", "--no-interaction"),
           (".venv",), _PYTHON, {"POETRY_VIRTUALENVS_IN_PROJECT": "true"}, _VENV),
    Recipe("requirements.txt", "python3",
           ("sh", "-c", "python3 -m venv --without-pip .venv && exec python3 -m pip --python .venv"
            " install --disable-pip-version-check --require-hashes --prefer-binary"
            " -r requirements.txt"),
           (".venv",), (), _NOTHING, _VENV, _has_hashes),
    Recipe("Cargo.lock", "cargo", ("cargo", "fetch", "--locked"), (KEPT,), ("Cargo.toml",),
           _CARGO, {**_CARGO, "CARGO_NET_OFFLINE": "true"}),
    Recipe("go.sum", "go", ("go", "mod", "download"), (KEPT,), ("go.mod",),
           {**_GO, "GOFLAGS": "-modcacherw"}, {**_GO, "GOPROXY": "off", "GOFLAGS": "-mod=mod"}),
)  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """A recipe, the folder it is for, and the files it needs, by their path in the tree."""

    recipe: Recipe
    folder: str
    files: Mapping[str, bytes]


def choose(files: Files, folder: str) -> Chosen | None:
    """What to install for a check in `folder`: from its own lock file, or the nearest above it."""
    for place in (folder, *map(str, PurePosixPath(folder).parents)):
        place = "" if place == "." else place
        for recipe in RECIPES:
            lock = files.read(joined(place, recipe.lock), MAX_FILE_BYTES)
            if lock and recipe.accepts(lock):
                return Chosen(recipe, place, _inputs(files, recipe, place))
    return None


def _inputs(files: Files, recipe: Recipe, folder: str) -> dict[str, bytes]:
    paths = [joined(folder, name) for name in (recipe.lock, *recipe.inputs)]
    wanted = _REPEATED.intersection(recipe.inputs)
    if wanted:
        below = files.walk(folder, WORKSPACE_DEPTH)
        paths += [path for path in below if PurePosixPath(path).name in wanted]
    found = {path: files.read(path, MAX_FILE_BYTES) for path in sorted(set(paths))}
    return {path: data for path, data in found.items() if data is not None}
