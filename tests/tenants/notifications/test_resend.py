"""Sending through Resend: once, in time, and with its refusals understood."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from structlog.testing import capture_logs

from tests.tenants.notifications.fake_resend import KEY, FakeResend, Mishap, problem
from tests.tenants.notifications.records import ADDRESS, Opening, letter
from worker.errors import PermanentError, TransientError
from worker.metrics import REGISTRY
from worker.tenants.notifications.letters import Postponed
from worker.tenants.notifications.resend import Resend


@pytest.fixture
async def resend(opened: Opening) -> Resend:
    return opened()


def measured(outcome: str) -> float:
    labels = {"service": "resend", "outcome": outcome}
    return REGISTRY.get_sample_value("external_request_duration_seconds_count", labels) or 0.0


async def test_an_email_is_sent(resend: Resend, fake: FakeResend) -> None:
    written, before = letter(), measured("completed")
    email_id = await resend.send(written, again=False)
    [(key, (known_as, body))] = fake.sent.items()
    assert (key, known_as) == (str(written.id), email_id)
    assert body == {
        "from": "Switchyard <noreply@mail.example>", "to": [ADDRESS], "subject": "Zażółć",
        "text": written.text, "html": written.html,
    }  # fmt: skip
    [request] = fake.requests
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Content-Type"] == "application/json"
    assert measured("completed") == before + 1


async def test_twice_is_once(resend: Resend, fake: FakeResend) -> None:
    written = letter()
    ids = {await resend.send(written, again=n > 0) for n in range(3)}
    assert len(ids) == 1
    assert len(fake.sent) == 1


async def test_a_lost_answer_is_a_failure_and_the_next_attempt_sends_nothing_more(
    resend: Resend, fake: FakeResend
) -> None:
    fake.lose_answers, written = 1, letter()
    with pytest.raises(TransientError, match="Resend gave no answer"):
        await resend.send(written, again=False)
    assert await resend.send(written, again=True) == fake.sent[str(written.id)][0]
    assert len(fake.sent) == 1


async def test_words_that_changed_meanwhile_do_not_send_it_again(
    resend: Resend, fake: FakeResend
) -> None:
    written = letter()
    await resend.send(written, again=False)
    with capture_logs() as lines:
        assert await resend.send(replace(written, subject="Other"), again=True) is None
    [line] = [line for line in lines if line["event"] == "notification.sent_before"]
    assert line["notification_id"] == written.id
    assert len(fake.sent) == 1
    with pytest.raises(PermanentError, match="invalid_idempotent_request Same key"):
        await resend.send(replace(written, subject="Other"), again=False)


async def test_what_is_in_flight_is_waited_for_shortly(resend: Resend, fake: FakeResend) -> None:
    fake.mishaps.append(problem(409, "concurrent_idempotent_requests"))
    with pytest.raises(Postponed) as caught:
        await resend.send(letter(), again=True)
    assert 0 < caught.value.seconds <= 5


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"retry_after": "7"}, 7, 7),
        ({"retry_after": "2.5"}, 2.5, 2.5),
        ({"ratelimit_reset": "4"}, 4, 4),
        ({"retry_after": "86400"}, 300, 300),
        ({"retry_after": "0"}, 0.5, 0.5),
        ({"retry_after": "-9"}, 0.5, 0.5),
        ({"retry_after": "soon"}, 1, 1),
        ({"retry_after": "nan"}, 0.5, 300),
        ({"retry_after": "date"}, 25, 31),
        ({}, 1, 1),
    ],
)
async def test_a_rate_limit_says_how_long_to_wait(
    resend: Resend, fake: FakeResend, headers: dict[str, str], low: float, high: float
) -> None:
    if headers.get("retry_after") == "date":
        headers = {"retry_after": format_datetime(datetime.now(UTC) + timedelta(seconds=30))}
    fake.mishaps.append(problem(429, "rate_limit_exceeded", **headers))
    with pytest.raises(Postponed) as caught:
        await resend.send(letter(), again=False)
    assert low <= caught.value.seconds <= high
    assert await resend.send(letter(), again=False)


@pytest.mark.parametrize("status", [500, 502, 503, 408])
async def test_its_own_troubles_are_failures(resend: Resend, fake: FakeResend, status: int) -> None:
    fake.mishaps.append(problem(status, "application_error", f"a problem {KEY}"))
    with pytest.raises(TransientError) as caught:
        await resend.send(letter(), again=False)
    assert f"{status} application_error a problem [redacted]" in caught.value.message


@pytest.mark.parametrize(
    ("mishap", "words"),
    [
        (problem(401, "missing_api_key", "No key"), "401 missing_api_key No key.*RESEND_API_KEY"),
        (problem(403, "validation_error", "Domain"), "403 validation_error Domain.*EMAIL_FROM"),
        (problem(422, "validation_error", "Bad `to`"), r"\(422 validation_error Bad `to`\)$"),
        (problem(400, "invalid_idempotency_key"), "400 invalid_idempotency_key"),
        (problem(422, "x", f"{KEY} is wrong"), r"422 x \[redacted\] is wrong"),
        (problem(422, "x", "long " * 500), "long"),
        (problem(409, "something_else"), "409 something_else"),
        (Mishap(404, b"<html>"), r"\(404\)"),
        (Mishap(400, b"[1]"), r"\(400\)"),
        (Mishap(302, None, {"Location": "http://127.0.0.1:9/"}), "RESEND_API_URL is wrong"),
    ],
)
async def test_refusals_are_final_and_say_why(
    resend: Resend, fake: FakeResend, mishap: Mishap, words: str
) -> None:
    fake.mishaps.append(mishap)
    with pytest.raises(PermanentError, match=words) as caught:
        await resend.send(letter(), again=False)
    assert KEY not in caught.value.message
    assert len(caught.value.message) < 500
    assert caught.value.__cause__ is None
    assert len(fake.requests) == 1


async def test_an_answer_without_an_id_is_a_success(resend: Resend, fake: FakeResend) -> None:
    fake.mishaps.extend([Mishap(200, b"fine"), Mishap(201, {"object": "email"})])
    for _ in range(2):
        assert await resend.send(letter(), again=False) is None


async def test_an_answer_in_parts_is_read_to_its_end(resend: Resend, fake: FakeResend) -> None:
    fake.mishaps.append(Mishap(200, [b'{"id": ', b'"re_', b'1"}']))
    assert await resend.send(letter(), again=False) == "re_1"
    fake.mishaps.append(Mishap(500, [b"x" * 60_000] * 3))
    with pytest.raises(TransientError, match=r"a problem of its own: 500$"):
        await resend.send(letter(), again=False)


async def test_nobody_else_is_written_to(resend: Resend, fake: FakeResend) -> None:
    with pytest.raises(PermanentError, match="email address is not one"):
        await resend.send(letter(to=f"{ADDRESS}, eve@evil.example"), again=False)
    assert fake.requests == []


async def test_nobody_there_is_a_failure_that_tells_no_secret(opened: Opening) -> None:
    before = measured("failed")
    with pytest.raises(TransientError) as caught:
        await opened(url="http://127.0.0.1:9").send(letter(), again=False)
    assert caught.value.message == "Resend gave no answer: ClientConnectorError"
    assert measured("failed") == before + 1
