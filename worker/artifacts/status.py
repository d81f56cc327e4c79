"""What people write as a status, and the few words it is normalised to."""

import re
import unicodedata
from collections.abc import Mapping

from worker.artifacts.model import Status

Vocabulary = Mapping[str, str]


def _vocabulary(**spellings: str) -> Vocabulary:
    """From `in_progress="wip, doing"` to {"in progress": "in-progress", "wip": …}."""
    table: dict[str, str] = {}
    for name, written in spellings.items():
        word = name.replace("_", "-")
        table[name.replace("_", " ")] = word
        table.update((spelling.strip(), word) for spelling in written.split(",") if spelling)
    return table


_WORK = {
    "backlog": "todo, to do, not started, pending, planned, new, open, a faire, offen, pendiente",
    "draft": "drafted, drafting, wip draft, brouillon, entwurf, borrador, rascunho",
    "ready": "approved, accepted, ready for dev, ready for development, ready to start, "
    "ready for implementation, ready for execution, refined, groomed, scheduled, pret, prete, "
    "bereit",
    "in_progress": "inprogress, wip, doing, started, active, ongoing, implementing, developing, "
    "in development, in dev, under development, red phase, green phase, partial, partially, "
    "partially complete, mostly complete, almost done, en cours, in arbeit, in bearbeitung, "
    "en progreso, em andamento",
    "blocked": "on hold, paused, waiting, stalled, bloque, blockiert, bloqueado",
    "review": "in review, ready for review, ready for re review, under review, reviewed, "
    "code review, review pending, pending review, needs review, ready for qa, in qa, qa, "
    "testing, in testing, "
    "ready for test, ready for testing, dev complete, development complete, dev done, "
    "implementation complete, ready for done, ready for merge, en revue",
    "done": "complete, completed, fully complete, fully completed, verified complete, "
    "implemented, finished, closed, merged, released, shipped, "
    "delivered, deployed, resolved, termine, terminee, fait, fertig, erledigt, abgeschlossen, "
    "hecho, completado, terminado, concluido",
    "cancelled": "canceled, dropped, wont do, abandoned, rejected, removed, descoped, skipped, "
    "annule",
    "deferred": "postponed, parked, on ice, reporte",
    "deprecated": "obsolete, superseded, replaced",
    "moved": "moved to, merged into, split, split into",
}

STORY = _vocabulary(**_WORK)
EPIC = _vocabulary(**(_WORK | {"in_progress": _WORK["in_progress"] + ", contexted"}))
DECISION = _vocabulary(
    draft="drafting, wip, brouillon, entwurf",
    proposed="proposal, pending, open, in review, under review, review, in discussion, rfc, "
    "propose, proposee, vorgeschlagen",
    accepted="approved, decided, adopted, active, agreed, ready for implementation, done, final, "
    "accepte, acceptee, akzeptiert, angenommen, aceptado",
    implementing="in progress, partially implemented, partially addressed, partially",
    implemented="complete, completed",
    rejected="declined, withdrawn, abandoned, rejete, rejetee, abgelehnt",
    deprecated="obsolete, retired, veraltet",
    superseded="supersede, superceded, replaced, replaced by, superseded by, remplace, ersetzt",
    deferred="postponed, on hold, parked",
)
_PROPOSAL = {
    "draft": "drafting, pre draft, idea",
    "review": "in review, under review, active review, awaiting review, scheduled for review, "
    "last call",
    "accepted": "approved",
    "implementing": "partially implemented",
    "implemented": "",
    "final": "",
    "active": "living",
    "rejected": "",
    "withdrawn": "",
    "deferred": "postponed",
    "returned": "returned for revision",
    "expired": "",
    "stagnant": "",
    "superseded": "replaced",
    "deprecated": "removed, obsolete",
    "moved": "",
}
KEP = _vocabulary(**(_PROPOSAL | {"draft": "provisional", "accepted": "implementable"}))
PEP = _vocabulary(**(_PROPOSAL | {"accepted": "provisional"}))
EIP = _vocabulary(**_PROPOSAL)
SWIFT = _vocabulary(**(_PROPOSAL | {"accepted": "previewing"}))
PLANNING = _vocabulary(
    **(
        _WORK
        | {
            "ready": _WORK["ready"] + ", ready to plan, ready to execute, ready for execution",
            "in_progress": _WORK["in_progress"] + ", executing, planning, verifying",
            "done": _WORK["done"] + ", phase complete, milestone complete",
        }
    )
)
RETROSPECTIVE = _vocabulary(
    **(
        _WORK
        | {
            "optional": "",
            "done": _WORK["done"] + ", held, retrospective complete, epic complete",
            "backlog": _WORK["backlog"],
        }
    )
)
DOCUMENT = _vocabulary(
    draft="drafting, wip, in progress, brouillon, entwurf, borrador, initial draft",
    review="in review, under review, ready for review, proposed, pending review, pending",
    approved="accepted, ready, ready for dev, ready for development, ready for implementation, "
    "validated, signed off, final, finalized, active, current, living, living document",
    done="complete, completed, implemented, updated, finished, closed, green, pass, passed, "
    "delivered, shipped, released, verified, fixed, resolved, success",
    blocked="on hold, paused, fail, failed, red",
    deprecated="obsolete, superseded, replaced, archived, historical, outdated",
    cancelled="canceled, rejected, abandoned, withdrawn",
)
VERDICT = {
    "pass": "PASS",
    "passed": "PASS",
    "approved": "PASS",
    "approve": "PASS",
    "concerns": "CONCERNS",
    "concern": "CONCERNS",
    "pass with concerns": "CONCERNS",
    "fail": "FAIL",
    "failed": "FAIL",
    "rejected": "FAIL",
    "waived": "WAIVED",
    "waive": "WAIVED",
}

_LINK = re.compile(r"\[([^\[\]]{0,300})\]\([^()]{0,500}\)")
_CUT = re.compile(r"[(|;,]|\.\s|\s[-\u2013\u2014]+\s|:\s|<|\d{4}-\d\d")
_ARROW = re.compile(r"\s?(?:->|\u2192|=>)\s?")
_GAPS = re.compile(r"[\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SIGNS = {
    "\u2705": "done",
    "\u2714": "done",
    "\u2611": "done",
    "\U0001f6a7": "in-progress",
    "\U0001f504": "in-progress",
    "\u26d4": "blocked",
    "\U0001f4dd": "draft",
}
_LONGEST = 200


def read(raw: str, line: int, vocabulary: Vocabulary) -> Status:
    """The status written as `raw`; its first line decides what it is normalised to."""
    return Status(raw=raw, normalized=normalize(raw, vocabulary), line=line)


def normalize(raw: str, vocabulary: Vocabulary) -> str | None:
    """The vocabulary's word for `raw`, or None when nothing in it fits."""
    first = raw.strip().split("\n", 1)[0][:_LONGEST]
    words = _words(first)
    if not words:
        sign = next((name for mark, name in _SIGNS.items() if mark in first), None)
        return sign if sign in vocabulary.values() else None
    for length in range(len(words), 0, -1):
        found = vocabulary.get(" ".join(words[:length]))
        if found:
            return found
    return None


def _words(text: str) -> list[str]:
    """The words that carry the status: what stands before remarks, after the last arrow."""
    text = _LINK.sub(r"\1", text).strip().lstrip("-*+>_`~ \t")
    text = _ARROW.split(text)[-1]
    text = _GAPS.sub(" ", _CAMEL.sub(" ", _CUT.split(text, maxsplit=1)[0]))
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in letters if not unicodedata.combining(c)).split()
