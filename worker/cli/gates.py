"""`switchyard gates`: a repository's own checks, how they are run, and their verdicts."""

from argparse import ArgumentParser, Namespace
from typing import Any, get_args

from worker.cli.arguments import add_fields, command, from_options, job_id
from worker.cli.output import Columns, details, page, table, text
from worker.cli.parsers import Commands, group
from worker.cli.services import Services
from worker.jobs.enqueueing import Enqueued
from worker.jobs.gate_views import (
    Approval,
    Gate,
    GateQuery,
    GateSettings,
    GateWithLog,
    NewGateSettings,
    WantedGate,
)
from worker.jobs.payloads import GateType
from worker.jobs.views import Page

BY = "command line"
COLUMNS: Columns = {
    "job": lambda gate: gate.job_id,
    "gate": lambda gate: gate.gate_type,
    "state": lambda gate: gate.state,
    "verdict": lambda gate: gate.verdict,
    "story": lambda gate: gate.story_id,
    "commit": lambda gate: gate.commit_sha and gate.commit_sha[:12],
    "branch": lambda gate: gate.branch,
    "finished": lambda gate: gate.finished_at,
    "reason": lambda gate: gate.reason,
}
DIAGNOSTICS: Columns = {
    "where": lambda found: f"{found['path']}:{found['line']}",
    "severity": lambda found: found["severity"],
    "rule": lambda found: found.get("rule"),
    "message": lambda found: found["message"],
}
_LISTS = ("on_push", "trusted_senders")
_SWITCHES = ("network", "prepare")
_NONE = "none"


def add_commands(commands: Commands) -> None:
    """Running gates, looking at verdicts, approving, and the settings of a project."""
    gates = group(commands, "gates", "run a repository's own checks, and look at their verdicts")
    run = command(gates, "run", "evaluate a gate", _evaluate, details, audit="gate.evaluated")
    listed = command(gates, "list", "evaluations, newest first", _list, page(COLUMNS))
    show = command(gates, "show", "an evaluation with its log", _show, _with_log)
    approve = command(gates, "approve", "run what waits for approval", _approve, details,
                      audit="gate.approved")  # fmt: skip
    settings = command(gates, "settings", "see or change how gates are run", _settings, details,
                       audit=_change)  # fmt: skip
    for parser in (run, listed, show, approve, settings):
        parser.add_argument("project", help="the project's id")
    run.add_argument("gate_type", choices=get_args(GateType), metavar="gate",
                     help=", ".join(get_args(GateType)))  # fmt: skip
    add_fields(run, WantedGate, "gate_type")
    add_fields(listed, GateQuery)
    for parser in (show, approve):
        parser.add_argument("id", help="the job's id")
    approve.add_argument("--by", default=BY, help="who approves, for the record")
    _add_settings(settings)


def _add_settings(settings: ArgumentParser) -> None:
    settings.add_argument("--on-push", metavar="GATES", help="the gates that every push runs: "
                          f"comma-separated, or {_NONE}")  # fmt: skip
    settings.add_argument("--trusted-senders", metavar="LOGINS", help="GitHub logins whose pushes "
                          f"need no approval: comma-separated, * for all, or {_NONE}")  # fmt: skip
    for name, what in (("network", "checks reach the network"),
                       ("prepare", "what they need is installed before")):  # fmt: skip
        settings.add_argument(f"--{name}", choices=("yes", "no"), help=what)
    for name, what in (("seconds", "time"), ("memory-mb", "memory")):
        settings.add_argument(f"--{name}", metavar=name.upper(),
                              help=f"the most {what} of one evaluation, or {_NONE}")  # fmt: skip


async def _evaluate(services: Services, options: Namespace) -> Enqueued:
    wanted = from_options(WantedGate, options)
    return await services.steering.gates.evaluate(job_id(options, "project"), wanted, BY)


async def _list(services: Services, options: Namespace) -> Page[Gate]:
    wanted = from_options(GateQuery, options)
    return await services.steering.gates.page(job_id(options, "project"), wanted)


async def _show(services: Services, options: Namespace) -> GateWithLog:
    return await services.steering.gates.get(job_id(options, "project"), job_id(options))


async def _approve(services: Services, options: Namespace) -> Enqueued:
    approval = from_options(Approval, options)
    project = job_id(options, "project")
    return await services.steering.gates.approve(project, job_id(options), approval)


async def _settings(services: Services, options: Namespace) -> GateSettings:
    project = job_id(options, "project")
    now = await services.steering.gates.settings(project)
    changes = _changes(options)
    if not changes:
        return now
    former = now.model_dump(exclude={"updated_at"})
    wanted = from_options(NewGateSettings, Namespace(), **former | changes)
    return await services.steering.gates.set(project, wanted)


def _change(options: Namespace) -> str | None:
    return "gate_settings.changed" if _changes(options) else None


def _changes(options: Namespace) -> dict[str, Any]:
    given = {n: v for n, v in vars(options).items() if n in NewGateSettings.model_fields}
    return {name: _value(name, text) for name, text in given.items() if text is not None}


def _value(name: str, given: str) -> object:
    if name in _SWITCHES:
        return given == "yes"
    if name in _LISTS:
        words = [word.strip() for word in given.split(",") if word.strip()]
        return [] if words == [_NONE] else words
    return None if given == _NONE else given


def _with_log(gate: GateWithLog) -> str:
    parts = [details(gate, "diagnostics", "log")]
    if gate.diagnostics:
        parts.append(table(gate.diagnostics, DIAGNOSTICS))
    if gate.log:
        parts.append(text(gate.log))
    return "\n\n".join(parts)
