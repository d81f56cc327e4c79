"""Emails on a development machine: written to a directory instead of being sent."""

import asyncio
import os
import tempfile
from email.headerregistry import Address
from pathlib import Path

import structlog

from worker.errors import TransientError
from worker.tenants.notifications.letters import Letter, mime

log = structlog.get_logger(__name__)


class Outbox:
    """Writes each email to `<notification id>.eml`, readable by its owner alone; twice is once."""

    def __init__(self, directory: Path, sender: Address) -> None:
        self._directory, self._sender = directory, sender

    async def send(self, letter: Letter, *, again: bool) -> str | None:
        """Write the email. Raises TransientError when the directory cannot be written to."""
        path = self._directory / f"{letter.id}.eml"
        try:
            await asyncio.to_thread(_write, path, mime(letter, self._sender).as_bytes())
        except OSError as error:
            raise TransientError(
                f"{path} cannot be written ({error.strerror}): see EMAIL_OUTBOX_DIR"
            ) from None
        log.info("notification.written", subject=letter.subject, path=str(path))
        return None

    async def close(self) -> None:
        """Nothing is open."""


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=".", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(beside).replace(path)
