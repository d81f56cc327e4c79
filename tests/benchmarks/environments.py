"""The peers' environments: built from their locks below .bench/, and kept until a lock changes."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.contestants import ROOT, Contestant

BUILT = ROOT / ".bench"
RELOCK = "python -m tests.benchmarks --lock"
_INSTALL_SECONDS = 600.0


class NotInstallableError(Exception):
    """A peer cannot be had on this machine; the message says why."""


def environment(peer: Contestant) -> Path:
    """The directory with the peer's packages, installed if need be. Raises NotInstallableError."""
    lock = _lock(peer.directory)
    key = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    directory = BUILT / f"{peer.folder}-{key}"
    if not directory.exists():
        _remove_former(peer)
        unfinished = directory.with_suffix(".unfinished")
        install = _install_node if lock.suffix == ".json" else _install_python
        install(peer.directory, unfinished)
        unfinished.rename(directory)
    return directory


def relock(peer: Contestant) -> None:
    """Pin the peer's newest versions anew."""
    if _lock(peer.directory).suffix == ".json":
        _run(["npm", "update", "--package-lock-only", "--omit-lockfile-registry-resolved"],
             cwd=peer.directory)  # fmt: skip
        return
    _run(
        [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--universal", "--upgrade",
         "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-annotate",
         "requirements.in", "-o", "requirements.txt"],
        cwd=peer.directory,
        UV_CUSTOM_COMPILE_COMMAND=RELOCK,
    )  # fmt: skip


def _lock(directory: Path) -> Path:
    packages = directory / "package-lock.json"
    return packages if packages.exists() else directory / "requirements.txt"


def _remove_former(peer: Contestant) -> None:
    for former in BUILT.glob(f"{peer.folder}-*"):
        shutil.rmtree(former)


def _install_python(source: Path, target: Path) -> None:
    _run([sys.executable, "-m", "venv", str(target)])
    _run(
        [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-cache-dir",
         "--require-hashes", "--only-binary", ":all:", "-r", str(source / "requirements.txt")]
    )  # fmt: skip


def _install_node(source: Path, target: Path) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        raise NotInstallableError("node and npm are not on PATH")
    target.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(source / name, target)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=target)


def _run(command: list[str], cwd: Path | None = None, **variables: str) -> None:
    try:
        subprocess.run(
            command, cwd=cwd, env=os.environ | variables, check=True, timeout=_INSTALL_SECONDS,
            capture_output=True, text=True,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        raise NotInstallableError(f"{Path(command[0]).name}: {_complaint(error.stderr)}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstallableError(str(error)) from error


def _complaint(output: str) -> str:
    lines = output.strip().splitlines() or ["no message"]
    return next((line for line in lines if "error" in line.lower()), lines[-1])
