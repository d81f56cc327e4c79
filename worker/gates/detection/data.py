"""Configuration files of unknown origin as plain values; None for what cannot be read."""

import configparser
import json
import tomllib
from typing import TypeAlias, Union

import yaml

from worker.gates.files import Files

MAX_BYTES = 512_000
MAX_YAML_BYTES = 64_000
MAX_YAML_DEPTH = 20

Value: TypeAlias = Union[str, list["Value"], dict[str, "Value"]]  # noqa: UP007 - recursive
Table: TypeAlias = dict[str, object]


def text(files: Files, path: str) -> str | None:
    """The file's text, whatever its bytes."""
    data = files.read(path, MAX_BYTES)
    return None if data is None else data.decode("utf-8-sig", errors="replace")


def json_table(files: Files, path: str) -> Table | None:
    """The object that a JSON file holds."""
    content = text(files, path)
    try:
        return as_table(json.loads(content)) if content else None
    except (ValueError, RecursionError):
        return None


def toml_table(files: Files, path: str) -> Table | None:
    """The tables of a TOML file."""
    content = text(files, path)
    try:
        return tomllib.loads(content.replace("\r\n", "\n")) if content is not None else None
    except (ValueError, RecursionError):
        return None


def sections(files: Files, path: str) -> dict[str, dict[str, str]]:
    """The sections of an INI file; empty where it is not one."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text(files, path) or "")
    except configparser.Error:
        return {}
    return {name: {k: v or "" for k, v in parser[name].items()} for name in parser.sections()}


def yaml_value(content: str) -> Value:
    """YAML as plain text values; raises ValueError with a sentence for people."""
    try:
        _refuse_tricks(content)
        return yaml.load(content, Loader=yaml.CBaseLoader) or {}  # noqa: S506 - text values only
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = min(mark.line, content.rstrip().count("\n")) + 1 if mark else 1
        raise ValueError(f"line {line}: {error.problem or 'not valid YAML'}") from error
    except yaml.YAMLError as error:
        raise ValueError("characters that YAML does not allow") from error


def _refuse_tricks(content: str) -> None:
    depth = 0
    for event in yaml.parse(content, Loader=yaml.CBaseLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("aliases are not read")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_YAML_DEPTH:
            raise ValueError(f"nested deeper than {MAX_YAML_DEPTH} levels")


def as_table(value: object) -> Table:
    """`value` where it is a table, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def table_in(table: Table | None, *names: str) -> Table:
    """The table that lies below `names`; empty where there is none."""
    for name in names:
        table = as_table((table or {}).get(name))
    return table or {}


def words_in(value: object) -> list[str]:
    """The texts of a list; empty where `value` is none."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
