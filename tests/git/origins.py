"""Real repositories to fetch from, written commit by commit without a work tree."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}
LINK = "120000"
SUBMODULE = "160000"


# Paths are str or bytes; a mapping would not take one of str for one of either.
Files = Mapping[Any, bytes | tuple[str, bytes] | None]


class Origin:
    """A bare repository. A file is bytes, or (mode, bytes), or None to delete it."""

    def __init__(self, path: Path, object_format: str = "sha1") -> None:
        self.path = path
        self.url = f"file://{path}"
        path.mkdir(parents=True)
        self.git("init", "-q", "--bare", "-b", "main", f"--object-format={object_format}")

    def git(self, *arguments: str, data: bytes | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=ENVIRONMENT,
            input=data,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def commit(
        self,
        files: Files,
        *,
        branch: str = "main",
        onto: str | None = None,
    ) -> str:
        """Commit on top of `onto`, and move the branch there, by force if need be."""
        stream = b"commit refs/heads/%b\nmark :1\n" % branch.encode()
        stream += b"committer T <t@example.org> 1700000000 +0000\ndata 1\nx\n"
        stream += b"from %b\n" % onto.encode() if onto else b""
        stream += b"".join(_file(path, content) for path, content in files.items())
        return self.git("fast-import", "--quiet", "--force", data=stream + b"\nget-mark :1\n")

    def tree(self, commit: str) -> str:
        return self.git("rev-parse", f"{commit}^{{tree}}")

    def blob(self, commit: str, path: str) -> str:
        return self.git("rev-parse", f"{commit}:{path}")

    def forget_unreachable(self) -> None:
        self.git("repack", "-adq")
        self.git("prune", "--expire=now")


def _file(path: str | bytes, content: bytes | tuple[str, bytes] | None) -> bytes:
    quoted = _quote(path.encode() if isinstance(path, str) else path)
    if content is None:
        return b"D %b\n" % quoted
    mode, data = content if isinstance(content, tuple) else ("100644", content)
    if mode == SUBMODULE:
        return b"M %b %b %b\n" % (mode.encode(), data, quoted)
    return b"M %b inline %b\ndata %d\n%b\n" % (mode.encode(), quoted, len(data), data)


def _quote(path: bytes) -> bytes:
    return b'"%b"' % b"".join(b"\\%03o" % byte for byte in path)
