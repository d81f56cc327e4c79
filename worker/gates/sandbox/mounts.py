"""What a command sees of the disk: the arguments of bubblewrap, without running it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

TREE = PurePosixPath("/checkout")
HOME = PurePosixPath("/home/runner")
TEMPORARY = "/tmp"  # noqa: S108 - the sandbox's own
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - likewise
USER_ID = 1000
SHARED_MEMORY_BYTES = 256 * 1024 * 1024

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# Of /etc only what programs look up and what says nothing about this machine's owners.
LOOKED_UP = (
    "alternatives", "ca-certificates", "crypto-policies", "fonts", "java-17-openjdk",
    "java-21-openjdk", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types",
    "os-release", "pki/ca-trust", "pki/tls/certs", "protocols", "python3", "python3.11",
    "python3.12", "python3.13", "services", "ssl/certs", "ssl/openssl.cnf", "terminfo",
)  # fmt: skip
ISOLATION = (
    "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session",
    "--clearenv", "--cap-drop", "ALL", "--uid", str(USER_ID), "--gid", str(USER_ID),
    "--hostname", "gate",
)  # fmt: skip


ETC = {
    "passwd": f"runner:x:{USER_ID}:{USER_ID}::{HOME}:/bin/sh\n",
    "group": f"runner:x:{USER_ID}:\n",
    "hosts": "127.0.0.1 localhost gate\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


@dataclass(frozen=True)
class View:
    """One run's view: where each part of it is to be found.

    `room` is a directory with `etc`, `home` and `tmp` in it; `readable` maps what is to be seen
    to where it lies.
    """

    tree: Path
    room: Path
    readable: Mapping[Path, Path]
    shared_memory_bytes: int = SHARED_MEMORY_BYTES


def arguments(view: View, directory: str, environment: Mapping[str, str]) -> list[str]:
    """Everything between `bwrap` and the descriptors. Later mounts lie over earlier ones."""
    return [
        *ISOLATION,
        *_system(),
        *_etc(view.room / "etc"),
        "--proc", "/proc",
        "--dev", "/dev",
        "--size", str(view.shared_memory_bytes), "--perms", "1777", "--tmpfs", SHARED_MEMORY,
        "--remount-ro", "/dev",
        "--bind", str(view.room / "tmp"), TEMPORARY,
        "--bind", str(view.room / "home"), str(HOME),
        "--bind", str(view.tree), str(TREE),
        *_readable(view.readable),
        "--remount-ro", "/",
        "--chdir", str(TREE / directory),
        *_variables(environment),
    ]  # fmt: skip


def outermost(paths: Iterable[Path]) -> dict[Path, Path]:
    """Each path that is not within another or within the system, as seen → where it lies."""
    given = {path.absolute() for path in paths} - {Path("/")}
    covering = given | set(map(Path, SYSTEM))
    kept = [p for p in given if str(p) not in SYSTEM and covering.isdisjoint(p.parents)]
    return {path: path for path in sorted(kept)}


def _system() -> Iterator[str]:
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))


def _etc(ours: Path) -> Iterator[str]:
    for name in LOOKED_UP:
        path = Path("/etc", name)
        if path.exists():
            yield from ("--ro-bind", str(path.resolve()), str(path))
    for name in ETC:
        yield from ("--ro-bind", str(ours / name), f"/etc/{name}")


def _readable(places: Mapping[Path, Path]) -> Iterator[str]:
    for path, source in places.items():
        yield from ("--ro-bind", str(source), str(path))


def _variables(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        yield from ("--setenv", name, value)
