"""Emails on a development machine, and where there is no way for them at all."""

import asyncio
import email
import email.policy
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.tenants.notifications.records import ADDRESS, letter
from worker.errors import PermanentError, TransientError
from worker.tenants.notifications.letters import AT_HOME, NoEmail, mime
from worker.tenants.notifications.outbox import Outbox


async def test_an_email_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    written, directory = letter(), tmp_path / "deep" / "outbox"
    with capture_logs() as lines:
        assert await Outbox(directory, AT_HOME).send(written, again=False) is None
    [file] = directory.iterdir()
    assert file.name == f"{written.id}.eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    read = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert (read["To"], read["Subject"]) == (ADDRESS, "Zażółć")
    [line] = lines
    assert line == {
        "event": "notification.written", "log_level": "info", "subject": "Zażółć",
        "path": str(file),
    }  # fmt: skip


async def test_twice_is_once(tmp_path: Path) -> None:
    written, outbox = letter(), Outbox(tmp_path, AT_HOME)
    await asyncio.gather(*(outbox.send(written, again=False) for _ in range(5)))
    [file] = tmp_path.iterdir()
    assert file.read_bytes() == mime(written, AT_HOME).as_bytes()


async def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    written, elsewhere = letter(), tmp_path / "precious"
    elsewhere.write_text("precious")
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    (outbox / f"{written.id}.eml").symlink_to(elsewhere)
    await Outbox(outbox, AT_HOME).send(written, again=False)
    assert elsewhere.read_text() == "precious"
    assert not (outbox / f"{written.id}.eml").is_symlink()


async def test_a_directory_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TransientError, match=r"File exists\): see EMAIL_OUTBOX_DIR"):
        await Outbox(tmp_path / "file", AT_HOME).send(letter(), again=False)


async def test_without_any_way_it_says_what_to_set() -> None:
    with pytest.raises(PermanentError, match="set RESEND_API_KEY or SMTP_URL, and EMAIL_FROM"):
        await NoEmail().send(letter(), again=False)
