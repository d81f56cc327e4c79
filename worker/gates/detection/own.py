"""The project's own word: `.switchyard.yml` at the root of its repository.

gates:
  unit-tests:
    command: npm run test:ci      # a line of shell, or a list of words
    directory: apps/web           # where to run it; the root if left out
    reports:
      - path: reports/*.xml       # relative to the root of the repository
        format: junit
    environment: {NODE_ENV: test}
  lint: ruff check .              # short for `command`
  type-check: false               # this check is switched off
"""

import re
import shlex
from typing import get_args

from worker.gates.detection.data import MAX_YAML_BYTES, Value, yaml_value
from worker.gates.detection.found import Detection, Found, Hollow, Malformed, Missing
from worker.gates.detection.packages import Package, asked_through, flat, package_at, steps
from worker.gates.detection.shell import split, watches, why_it_cannot_fail
from worker.gates.files import Files, inside
from worker.gates.model import GATE_TYPES, Command, GateType, ReportFile, ReportFormat

PATHS = (".switchyard.yml", ".switchyard.yaml")
_FORMATS: tuple[ReportFormat, ...] = get_args(ReportFormat)
_KEYS = frozenset({"command", "directory", "reports", "environment"})
_NAME = re.compile(r"[A-Za-z_]\w*")
_OFF = frozenset({"false", "no", "off", "~", "null", ""})


class _Wrong(ValueError):
    """What is wrong, and where."""


def find(files: Files, gate: GateType) -> Detection | None:
    """What the project says of `gate`; None where it says nothing."""
    path = next((path for path in PATHS if files.is_file(path)), None)
    if path is None:
        return None
    try:
        return _entry(_gates(files, path), gate, path, files)
    except ValueError as error:
        return Malformed(path, f"{path}: {error}")


def _gates(files: Files, path: str) -> dict[str, Value]:
    data = files.read(path, MAX_YAML_BYTES)
    if data is None:
        raise _Wrong(f"longer than {MAX_YAML_BYTES} bytes")
    document = yaml_value(data.decode("utf-8-sig", errors="replace"))
    if not isinstance(document, dict):
        raise _Wrong("must be a mapping with the key `gates`")
    gates = document.get("gates", {})
    if not isinstance(gates, dict):
        raise _Wrong("gates: must be a mapping of gate types")
    unknown = sorted(set(gates) - set(GATE_TYPES))
    if unknown:
        raise _Wrong(f"gates.{unknown[0]}: not a gate; there are {', '.join(GATE_TYPES)}")
    return gates


def _entry(gates: dict[str, Value], gate: GateType, path: str, files: Files) -> Detection | None:
    if gate not in gates:
        return None
    entry, where = gates[gate], f"gates.{gate}"
    if isinstance(entry, str) and entry.lower() in _OFF:
        return Missing(f"switched off in {path}")
    if not isinstance(entry, dict):
        entry = {"command": entry}
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise _Wrong(f"{where}.{unknown[0]}: not known; there are {', '.join(sorted(_KEYS))}")
    return _detection(entry, where, f"{path} {where}", files)


def _detection(entry: dict[str, Value], where: str, source: str, files: Files) -> Detection:
    words, line = _words(entry.get("command"), f"{where}.command")
    directory = _directory(entry.get("directory", ""), f"{where}.directory", files)
    reports = tuple(_reports(entry.get("reports", []), f"{where}.reports"))
    environment = _environment(entry.get("environment", {}), f"{where}.environment")
    package = package_at(files, directory) or Package(directory, "npm", {})
    found = steps(files, package, line)
    if reason := why_it_cannot_fail(flat(found) if found else line):
        return Hollow(line, source, reason)
    if watches(flat(found) if found else line):
        raise _Wrong(f"{where}.command: waits for changes and never ends: `{line}`")
    command = Command(words, directory, source, reports, environment)
    return Found(command if words[0] == "sh" else asked_through(command, found))


def _words(value: Value | None, where: str) -> tuple[tuple[str, ...], str]:
    """The words to run, and the line of shell that they amount to."""
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        words = tuple(str(word) for word in value)
        return words, shlex.join(words)
    if not isinstance(value, str) or not value.strip():
        raise _Wrong(f"{where}: must be a line of shell or a list of words")
    commands = split(value)
    if commands and len(commands) == 1 and not re.search(r"[$*?<>~={\\]", value):
        return commands[0].words, value
    return ("sh", "-c", value), value


def _directory(value: Value, where: str, files: Files) -> str:
    if not isinstance(value, str) or not inside(value):
        raise _Wrong(f"{where}: must be a folder of the repository")
    folder = "/".join(part for part in value.split("/") if part not in ("", "."))
    if not files.is_folder(folder):
        raise _Wrong(f"{where}: there is no folder {folder}")
    return folder


def _reports(value: Value, where: str) -> list[ReportFile]:
    if not isinstance(value, list):
        raise _Wrong(f"{where}: must be a list")
    return [_report(item, f"{where}[{index}]") for index, item in enumerate(value)]


def _report(item: Value, where: str) -> ReportFile:
    if isinstance(item, str):
        item = {"path": item, "format": "junit"} if item.endswith(".xml") else {"path": item}
    if not isinstance(item, dict) or set(item) - {"path", "format"}:
        raise _Wrong(f"{where}: must have a path and a format")
    path = item.get("path")
    if not isinstance(path, str) or not path or not inside(path):
        raise _Wrong(f"{where}.path: must be a path in the repository")
    for form in _FORMATS:
        if item.get("format") == form:
            return ReportFile(path, form)
    raise _Wrong(f"{where}.format: must be one of {', '.join(_FORMATS)}")


def _environment(value: Value, where: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _Wrong(f"{where}: must be a mapping of names to texts")
    for name, text in value.items():
        if not _NAME.fullmatch(name) or not isinstance(text, str) or "\0" in text:
            raise _Wrong(f"{where}.{name}: must be a name with a text")
    return {name: str(text) for name, text in value.items()}
