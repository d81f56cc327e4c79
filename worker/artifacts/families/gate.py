"""Quality gate files: YAML, or nearly."""

import re
from itertools import islice

from worker.artifacts import ids
from worker.artifacts.families import records
from worker.artifacts.model import Artifact, Dates, Gate, Identity, Issue, Status, Waiver
from worker.artifacts.source import Family, Folder, Source
from worker.artifacts.status import VERDICT
from worker.artifacts.text import MAX_ITEMS
from worker.artifacts.yaml_text import Mapping, Value

_FOLDERS = frozenset({"gates", "qa-gates", "quality-gates"})
_VERDICT_KEYS = ("gate", "gate_decision", "decision", "verdict", "gate_status", "status")
_STORY_KEYS = ("story", "story_id", "storyid")
_INLINE_ACTIVE = re.compile(r"\bactive:\s{0,4}(true|yes)\b", re.IGNORECASE)
_EMPTY = ("", "null", "~", "none")


def claims(folder: Folder, name: str) -> bool:
    return folder.is_under(_FOLDERS)


def identify(stem: str) -> str:
    return f"gate-{ids.story_in_file(stem) or ids.slug(stem)}"


def read(source: Source) -> Artifact | None:
    """The gate, or None for YAML that is none."""
    values = records.mapping(source)
    if not any(key in values.values for key in _VERDICT_KEYS + _STORY_KEYS):
        return None
    verdict = _verdict(source, values)
    identity = _identity(source, values)
    story = identity.in_document or identity.in_file
    return Artifact(
        id=identify(source.stem),
        kind=FAMILY.kind,
        subtype="bmad4",
        path=source.path,
        blob_sha=source.blob_sha,
        title=values.text("story_title", "title") or source.stem,
        identity=identity,
        status=verdict,
        epic=ids.epic_of_story(story) if story else None,
        story=story,
        owner=values.text("reviewer"),
        dates=Dates(updated=values.text("updated")),
        gate=_gate(values, verdict),
        suppressions=source.suppressions,
        warnings=source.warnings,
    )


def _gate(values: Mapping, verdict: Status | None) -> Gate:
    return Gate(
        verdict=verdict.normalized.upper() if verdict and verdict.normalized else None,
        score=_number(values.text("quality_score", "score")),
        reason=values.text("status_reason", "reason"),
        updated=values.text("updated"),
        expires=values.text("expires"),
        waiver=_waiver(values.values.get("waiver")),
        issues=_issues(values.values.get("top_issues")),
    )


def _verdict(source: Source, values: Mapping) -> Status | None:
    """The first key that holds a known verdict; else the first that holds anything."""
    stated = [(key, text) for key in _VERDICT_KEYS if (text := _verdict_text(values, key))]
    if not stated:
        source.text.flag("no_verdict", "the gate states no verdict")
        return None
    key, raw = next(((k, t) for k, t in stated if _known(t)), stated[0])
    line = values.lines[key]
    if not _known(raw):
        source.text.flag("unknown_verdict", f"not a verdict we know: {raw[:60]!r}", line)
    return Status(raw=raw, normalized=(_known(raw) or "").lower() or None, line=line)


def _verdict_text(values: Mapping, key: str) -> str | None:
    value = values.values.get(key)
    if isinstance(value, dict):
        return Mapping(value, {}).text("decision", "verdict", "status", "result")
    return value if isinstance(value, str) and value.lower() not in _EMPTY else None


def _known(raw: str) -> str | None:
    words = re.findall(r"[a-z]+", raw[:100].lower())
    found = (VERDICT.get(" ".join(words[:length])) for length in range(len(words), 0, -1))
    return next(filter(None, found), None)


def _identity(source: Source, values: Mapping) -> Identity:
    in_file = ids.story_in_file(source.stem)
    written = values.text(*_STORY_KEYS)
    stated = ids.story_in_heading(f"Story {written}")[0] if written else None
    stated = stated or (ids.story_in_file(written) if written else None)
    if stated and in_file and ids.same_story(stated, in_file):
        in_file = stated
    line = next((values.lines[key] for key in _STORY_KEYS if key in values.lines), 1)
    differ = bool(stated and in_file and stated != in_file)
    return source.identity(in_file, stated, line, differ=differ)


def _waiver(value: Value | None) -> Waiver | None:
    if isinstance(value, dict):
        fields = Mapping(value, {})
        active = (fields.text("active") or "").lower() in ("true", "yes")
        return Waiver(
            active=active, reason=fields.text("reason"), approved_by=fields.text("approved_by")
        )
    if isinstance(value, str) and value.lower() not in _EMPTY:
        return Waiver(active=_INLINE_ACTIVE.search(value) is not None)
    return None


def _issues(value: Value | None) -> tuple[Issue, ...]:
    found = value if isinstance(value, list) else []
    return tuple(_issue(item) for item in islice(found, MAX_ITEMS))


def _issue(item: Value) -> Issue:
    if not isinstance(item, dict):
        return Issue(id=None, severity=None, finding=str(item), action=None)
    fields = Mapping(item, {})
    return Issue(
        id=fields.text("id"),
        severity=fields.text("severity"),
        finding=fields.text("finding", "description", "issue"),
        action=fields.text("suggested_action", "action", "recommendation"),
    )


def _number(text: str | None) -> float | None:
    match = re.match(r"\s*(\d{1,6}(?:\.\d{1,4})?)", text or "")
    return float(match[1]) if match else None


FAMILY = Family("gate", (".yml", ".yaml"), claims, read, identify)
