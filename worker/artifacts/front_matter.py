"""The YAML block at the top of a Markdown document."""

from worker.artifacts import suppressions, yaml_text
from worker.artifacts.text import Text
from worker.artifacts.yaml_text import Mapping

_MAX_LINES = 500


def read(text: Text) -> tuple[Mapping, int]:
    """The block's values, and how many lines it takes: 0 when there is none.

    A block that is not YAML is read line by line and flagged; without a single key it is prose.
    """
    block = _block(text.lines)
    if block is None:
        return Mapping({}, {}), 0
    text.suppressions.extend(suppressions.in_yaml(block, first=2))
    numbered = "\n".join(["", *block])
    try:
        return yaml_text.load_mapping(numbered), len(block) + 2
    except yaml_text.YamlError as error:
        found = yaml_text.scan_mapping(numbered)
        if not found.values:
            return found, 0
        text.flag("front_matter", f"read line by line: {error}", error.line)
        return found, len(block) + 2


def _block(lines: list[str]) -> list[str] | None:
    if lines[0].rstrip() != "---":
        return None
    for index, line in enumerate(lines[1:_MAX_LINES], 1):
        if line.rstrip() in ("---", "..."):
            return lines[1:index]
    return None
