"""Dependencies are installed from the lock file, kept by what decided them, and never shared."""

import asyncio
import base64
import hashlib
import io
import json
import os
import shutil
import tarfile
import time
import zipfile
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.gates.sandbox.conftest import LIMITS, TOOLS, skip_where_not_installable
from worker.gates.dependencies import DependencyCache
from worker.gates.errors import PreparationFailed
from worker.gates.files import Files
from worker.gates.prepare import Preparer
from worker.gates.recipes import choose
from worker.gates.sandbox import Egress, Sandbox
from worker.gates.sandbox.limits import MEBIBYTE


@dataclass
class Registry:
    """A package registry of this machine: answers with the bytes it holds under a path."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        self.asked.append(path)
        body = self.files.get(path)
        status = b"404 Not Found" if body is None else b"200 OK"
        kind = b"text/html" if path.endswith("/") else b"application/octet-stream"
        writer.write(b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n"
                     b"Connection: close\r\n\r\n" % (status, kind, len(body or b"")))  # fmt: skip
        writer.write(body or b"")
        writer.close()


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    registry = Registry()
    server = await asyncio.start_server(registry.serve, "127.0.0.1", 0)
    registry.port = server.sockets[0].getsockname()[1]
    async with server:
        yield registry


@pytest.fixture
def cache(tmp_path: Path) -> DependencyCache:
    (tmp_path / "cache").mkdir()
    return DependencyCache(tmp_path / "cache")


@pytest.fixture
async def preparer(registry: Registry, cache: DependencyCache) -> Preparer:
    skip_where_not_installable()
    egress = Egress(frozenset({f"localhost:{registry.port}"}))
    sandbox = await Sandbox.probe(readable=TOOLS, egress=egress)
    given = {"npm_config_registry": registry.url, "npm_config_fetch_retries": "0",
             "PIP_INDEX_URL": f"{registry.url}/simple",
             "PIP_TRUSTED_HOST": "localhost"}  # fmt: skip
    limits = type(LIMITS)(seconds=50.0, memory_bytes=1024 * MEBIBYTE)
    return Preparer(sandbox, cache, limits, given)


def npm_package(registry: Registry, version: str = "1.0.0") -> Mapping[str, object]:
    """Publish a package with an install script; gives the entry for a lock file."""
    manifest = {"name": "greeter", "version": version, "main": "index.js",
                "scripts": {"postinstall": "touch scripts-were-run"}}  # fmt: skip
    files = {"package.json": json.dumps(manifest), "index.js": f"module.exports = '{version}'"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    path = f"/greeter/-/greeter-{version}.tgz"
    registry.files[path] = packed.getvalue()
    digest = base64.b64encode(hashlib.sha512(packed.getvalue()).digest()).decode()
    resolved = f"{registry.url}{path}"
    return {"version": version, "resolved": resolved, "integrity": f"sha512-{digest}"}


def npm_project(tree: Path, locked: Mapping[str, object]) -> None:
    needs = {"name": "p", "version": "1.0.0", "dependencies": {"greeter": "1.0.0"}}
    lock = {"name": "p", "version": "1.0.0", "lockfileVersion": 3,
            "packages": {"": needs, "node_modules/greeter": locked}}  # fmt: skip
    tree.mkdir(exist_ok=True)
    (tree / "package.json").write_text(json.dumps(needs))
    (tree / "package-lock.json").write_text(json.dumps(lock))


needs_npm = pytest.mark.skipif(not Path("/usr/bin/npm").exists(), reason="npm is not installed")


@needs_npm
async def test_packages_come_from_the_lock_file_and_then_from_the_cache(
    preparer: Preparer, registry: Registry, tree: Path
) -> None:
    locked = npm_package(registry)
    npm_project(tree, locked)
    prepared = await preparer.prepare(tree, "", "project")
    assert prepared.told["dependencies"].startswith("installed by npm ")
    assert (tree / "node_modules/greeter/index.js").read_text() == "module.exports = '1.0.0'"
    assert not (tree / "node_modules/greeter/scripts-were-run").exists()
    assert registry.asked == ["/greeter/-/greeter-1.0.0.tgz"]

    other = tree.parent / "other"
    npm_project(other, locked)
    prepared = await preparer.prepare(other, "", "project")
    assert prepared.told["dependencies"].startswith("cached by npm ")
    assert (other / "node_modules/greeter/index.js").exists()
    assert len(registry.asked) == 1


@needs_npm
async def test_a_run_cannot_poison_the_next(
    preparer: Preparer, registry: Registry, tree: Path
) -> None:
    locked = npm_package(registry)
    npm_project(tree, locked)
    await preparer.prepare(tree, "", "project")
    script = "chmod -R u+w node_modules; echo evil > node_modules/greeter/index.js"
    ran = await preparer.sandbox.run(
        ["sh", "-c", script], tree=tree, environment={}, network=False, limits=LIMITS
    )
    assert ran.exit_code == 0
    assert (tree / "node_modules/greeter/index.js").read_text() == "evil\n"
    other = tree.parent / "other"
    npm_project(other, locked)
    await preparer.prepare(other, "", "project")
    assert (other / "node_modules/greeter/index.js").read_text() == "module.exports = '1.0.0'"


@needs_npm
async def test_whatever_decides_an_installation_is_part_of_its_name(
    preparer: Preparer, registry: Registry, tree: Path
) -> None:
    """The same lock file with another configuration, or in another project, is another one."""
    locked = npm_package(registry)
    npm_project(tree, locked)
    await preparer.prepare(tree, "", "project")
    configured = tree.parent / "configured"
    npm_project(configured, locked)
    (configured / ".npmrc").write_text("fund=false\n")
    for where, scope in ((configured, "project"), (tree, "another")):
        told = (await preparer.prepare(where, "", scope)).told["dependencies"]
        assert told.startswith("installed")


@needs_npm
async def test_a_package_that_is_not_what_was_locked_is_refused(
    preparer: Preparer, registry: Registry, cache: DependencyCache, tree: Path
) -> None:
    npm_project(tree, npm_package(registry))
    registry.files["/greeter/-/greeter-1.0.0.tgz"] = b"something else"
    with pytest.raises(PreparationFailed, match="could not install") as failure:
        await preparer.prepare(tree, "", "project")
    assert b"EINTEGRITY" in failure.value.log
    assert not (tree / "node_modules").exists()
    assert list(cache.root.iterdir()) == []


async def test_python_packages_with_hashes(
    preparer: Preparer, registry: Registry, tree: Path
) -> None:
    wheel = io.BytesIO()
    about = "greeter-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("greeter.py", "print('greetings')")
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n"
        )
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
                         "Tag: py3-none-any\n")  # fmt: skip
        archive.writestr(f"{about}/RECORD", "")
    name = "greeter-1.0-py3-none-any.whl"
    digest = hashlib.sha256(wheel.getvalue()).hexdigest()
    registry.files[f"/{name}"] = wheel.getvalue()
    registry.files["/simple/greeter/"] = f'<a href="/{name}">{name}</a>'.encode()
    (tree / "requirements.txt").write_text(f"greeter==1.0 --hash=sha256:{digest}\n")

    prepared = await preparer.prepare(tree, "", "project")
    assert prepared.environment["VIRTUAL_ENV"] == "/checkout/.venv"
    ran = await preparer.sandbox.run(
        ["python", "-c", "import greeter"], tree=tree, environment=prepared.environment,
        network=False, limits=LIMITS,
    )  # fmt: skip
    assert ran.output == b"greetings\n"


async def test_a_tool_that_is_missing_is_told(preparer: Preparer, tree: Path) -> None:
    if shutil.which("bun", path="/usr/local/bin:/usr/bin:/bin"):
        pytest.skip("bun is installed")
    (tree / "bun.lock").write_text("{}")
    with pytest.raises(PreparationFailed, match="bun is needed for the lock file and is not"):
        await preparer.prepare(tree, "", "project")


async def test_without_a_lock_file_nothing_is_done(preparer: Preparer, tree: Path) -> None:
    (tree / "requirements.txt").write_text("anything\n")
    prepared = await preparer.prepare(tree, "", "project")
    assert prepared.told == {"dependencies": "no lock file"}
    assert [path.name for path in tree.iterdir()] == ["requirements.txt"]


@pytest.mark.parametrize(
    ("lock", "text", "tool"),
    [
        ("pnpm-lock.yaml", "lockfileVersion: 9", "pnpm install --frozen-lockfile"),
        ("yarn.lock", "# yarn lockfile v1", "yarn install --frozen-lockfile --ignore-scripts"),
        ("yarn.lock", "__metadata:\n  version: 8", "yarn install --immutable --mode=skip-build"),
        ("uv.lock", "version = 1", "uv sync --frozen"),
        ("poetry.lock", "# poetry", "poetry install --no-root"),
        ("Cargo.lock", "version = 4", "cargo fetch --locked"),
        ("go.sum", "example.org/x v1.0.0 h1:x=", "go mod download"),
    ],
)
def test_each_lock_file_has_its_tool(tree: Path, lock: str, text: str, tool: str) -> None:
    (tree / lock).write_text(text)
    chosen = choose(Files(tree), "")
    assert chosen is not None
    assert " ".join(chosen.recipe.install).startswith(tool)


def test_the_nearest_lock_file_counts_and_workspaces_go_along(tree: Path) -> None:
    (tree / "packages/a/deep").mkdir(parents=True)
    (tree / "package-lock.json").write_text("{}")
    for folder in ("", "packages/a/"):
        (tree / f"{folder}package.json").write_text("{}")
    (tree / "packages/a/index.js").write_text("not an input")
    chosen = choose(Files(tree), "packages/a/deep")
    assert chosen is not None
    assert chosen.folder == ""
    assert sorted(chosen.files) == ["package-lock.json", "package.json", "packages/a/package.json"]
    (tree / "packages/a/pnpm-lock.yaml").write_text("x")
    nearer = choose(Files(tree), "packages/a/deep")
    assert nearer is not None
    assert nearer.folder == "packages/a"


def test_a_lock_file_that_is_a_link_is_not_followed(tree: Path) -> None:
    (tree.parent / "outside").write_text("version = 1")
    (tree / "uv.lock").symlink_to("../outside")
    assert choose(Files(tree), "") is None


def entry(cache: DependencyCache, key: str, age: float, size: int = 0) -> Path:
    path = cache.root / "project" / key
    path.mkdir(parents=True)
    (path / "file").write_bytes(b"x" * size)
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_entries_are_swept_by_age_and_by_size(cache: DependencyCache) -> None:
    fresh = entry(cache, "fresh", 10, MEBIBYTE)
    older = entry(cache, "older", 7200, MEBIBYTE)
    oldest = entry(cache, "oldest", 9000, MEBIBYTE)
    stale = entry(cache, "stale", 90_000)
    assert cache.sweep(unused_seconds=86_400, most_bytes=2 * MEBIBYTE + 4096) == 2
    assert [path.exists() for path in (fresh, older, oldest, stale)] == [True, True, False, False]
    assert cache.sweep(unused_seconds=86_400, most_bytes=0) == 1
    assert fresh.exists()


def test_an_entry_that_is_used_stays(cache: DependencyCache) -> None:
    entry(cache, "key", 90_000)
    assert cache.entry("project", "key") is not None
    assert cache.entry("project", "other") is None
    assert cache.sweep(unused_seconds=86_400, most_bytes=MEBIBYTE) == 0
