"""Every command that changes something is in the audit log, as done by who ran it."""

import os
import pwd
import socket
from argparse import Namespace
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel

from worker.jobs.tenant_payloads import Party
from worker.tenants.audit.steering import Action, Auditing, party

# The action that a command is recorded as; of some it depends on the options, None: as none.
Audit = str | Callable[[Namespace], str | None] | None
View = TypeVar("View", bound=BaseModel)


async def audited(
    auditing: Auditing, options: Namespace, work: Callable[[], Awaitable[View]]
) -> View:
    """Run a command's work, and record what was done. Raises NotAudited when only that failed."""
    name = options.audit(options) if callable(options.audit) else options.audit
    if name is None:
        return await work()
    target = _target(name, options)
    owner = await auditing.owner(None, target)
    answer = await work()
    action = Action(name, party("cli", _user()), {"host": socket.gethostname()}, target, owner)
    await auditing.done(action, answer, datetime.now(UTC))
    return answer


def _target(action: str, options: Namespace) -> Party | None:
    """What the options name; what a command makes is named by its answer."""
    kind = action.partition(".")[0]
    if kind.startswith("gate") and "id" not in options:
        return party("project", options.project)
    given = getattr(options, "id", None) or getattr(options, "name", None)
    return party(kind, given) if given else None


def _user() -> str:
    """The name of the process's user: what the environment says of it anybody can set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
