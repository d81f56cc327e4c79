"""Trees of files for these tests."""

import sys
from collections.abc import Mapping
from pathlib import Path

PYTHON = tuple(dict.fromkeys((Path(sys.prefix), Path(sys.base_prefix))))
"""Where this interpreter and its tools are installed, to be readable in the sandbox."""


def write(tree: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write `files`, by their paths, below `tree`, which is given back."""
    for path, content in files.items():
        place = tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    return tree
