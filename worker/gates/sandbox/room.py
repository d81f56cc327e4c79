"""The directory of one run beside its tree: its home, its /tmp and the few files of its /etc."""

import os
import tempfile
from pathlib import Path

from worker.gates.sandbox.mounts import ETC

NOBODY = 65534


def make_room(tree: Path) -> Path:
    """A fresh room in the directory that `tree` is in, so that one disk holds both."""
    room = Path(tempfile.mkdtemp(prefix=f".{tree.name}-", dir=tree.parent))
    for name in ("etc", "home", "tmp"):
        (room / name).mkdir()
    (room / "tmp").chmod(0o1777)
    for name, text in ETC.items():
        (room / "etc" / name).write_text(text)
    if os.geteuid() == 0:
        for directory in (room, *room.iterdir()):
            os.chown(directory, NOBODY, NOBODY)
    return room


def hand_over(tree: Path) -> None:
    """Where this process is root: give what it made in the tree to the user of commands."""
    if os.geteuid():
        return
    for path in (tree, *tree.iterdir()):
        if path.lstat().st_uid != NOBODY:
            _give(path)


def _give(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for directory, directories, files in os.walk(path):
            for name in (*directories, *files):
                os.chown(Path(directory, name), NOBODY, NOBODY, follow_symlinks=False)
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
