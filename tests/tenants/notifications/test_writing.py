"""What emails say, and that no data changes more than the words."""

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tenants.notifications.records import ADDRESS, ORG, REACHED, SENDER, letter, notified
from worker.errors import ConfigurationError, PermanentError
from worker.jobs.tenant_payloads import NotificationType
from worker.tenants.notifications.letters import Letter, mime, sender_of
from worker.tenants.notifications.templates import CONTENTS, LONGEST_SUBJECT
from worker.tenants.notifications.writing import letter_of
from worker.tenants.organisations import Organisation

TYPES: tuple[NotificationType, ...] = get_args(NotificationType)
RESTORE = {"restoreAt": "2026-11-30T23:00:00+00:00"}
EVIL = (
    "<script>alert(1)</script>\r\nBcc: eve@evil.example\r\n\r\n\"'&{subject}$x%s\u202eoffa\0\ud800"
)
NAMES = (
    "metric", "period", "periodStart", "periodEnd", "percent", "quantity", "limit", "reason",
    "apiKeyId", "feature", "restoreAt", "url", "endpointId", "failures", "at",
)  # fmt: skip


def acme(**more: Any) -> Organisation:
    given: dict[str, Any] = {
        "id": ORG, "name": "Acme", "timezone": "Europe/Warsaw", "email": ADDRESS,
        "created_at": datetime.now(UTC), "updated_at": datetime.now(UTC),
    }  # fmt: skip
    return Organisation.model_construct(**given | more)


def written(type_: NotificationType, data: dict[str, Any], **more: Any) -> Letter:
    return letter_of(notified(type=type_, data=data), acme(**more))


def parsed(sent: Letter) -> EmailMessage:
    """The message as whoever gets it reads it."""
    message = email.message_from_bytes(mime(sent, SENDER).as_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, kind: str) -> str:
    """One form of what it says, its line ends as they were."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append(f"{tag} {attrs}")

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.words.append(data)


def test_there_are_words_for_every_type() -> None:
    assert set(CONTENTS) == set(TYPES)


def test_a_warning_in_the_time_of_the_organisation() -> None:
    sent = written("threshold_warning", REACHED)
    assert sent.subject == "api_calls has reached 80 % of its monthly limit of 15,000"
    lines = sent.text.splitlines()
    assert lines[0] == f"{sent.subject}."
    assert lines[2:8] == [
        "Metric: api_calls", "Used: 12,345", "Limit: 15,000", "Reached: 80 %",
        "Period began: 1 November 2026, 00:00 CET", "Period ends: 1 December 2026, 00:00 CET",
    ]  # fmt: skip
    assert "raise the limit" in sent.text
    assert "to Acme (acme)" in sent.text


@pytest.mark.parametrize(
    ("type_", "data", "subject", "inside"),
    [
        ("limit_exceeded", REACHED, "api_calls has reached its monthly limit of 15,000",
         ["Used: 12,345", "wait for the next period"]),
        ("limit_exceeded", REACHED | {"apiKeyId": "k-1"} | RESTORE, "API key k-1 was blocked",
         ["API key: k-1", "Blocked until: 1 December 2026, 00:00 CET", "unblocked by hand"]),
        ("feature_disabled", {"feature": "exports", "reason": "too much"} | RESTORE,
         "exports was disabled",
         ["It comes back on 1 December 2026", "Reason: too much", "enable the flag"]),
        ("feature_disabled", {}, "A feature was disabled", ["A feature was disabled by a rule"]),
        ("endpoint_disabled", {"url": "https://a.example/h", "reason": "failing",
                               "failures": 1234, "at": "2026-11-22T07:00:00+00:00"},
         "Webhooks to https://a.example/h are disabled",
         ["Reason: it has been failing for days", "Failed in a row: 1,234",
          "Disabled: 22 November 2026, 08:00 CET", "replay"]),
        ("endpoint_disabled", {"reason": "gone"}, "Webhooks to an endpoint are disabled",
         ["it answered 410 Gone"]),
        ("threshold_warning", {}, "Usage has reached a threshold of its limit", ["Use less"]),
    ],
)  # fmt: skip
def test_what_is_said(
    type_: NotificationType, data: dict[str, Any], subject: str, inside: list[str]
) -> None:
    sent = written(type_, data)
    assert sent.subject == subject
    shown = " ".join(Tags(sent.html).words)
    for words in inside:
        assert words in sent.text
        assert words.partition(": ")[2] in shown


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns", "UTC"])
def test_times_are_those_of_the_zone(zone: str) -> None:
    sent = written("threshold_warning", REACHED, timezone=zone)
    when = {"Asia/Kathmandu": "1 December 2026, 04:45 +0545",
            "America/St_Johns": "30 November 2026, 19:30 NST",
            "UTC": "30 November 2026, 23:00 UTC"}  # fmt: skip
    assert f"Period ends: {when[zone]}" in sent.text


def test_the_message_reads_as_it_was_written() -> None:
    sent = letter(text="Zażółć gęślą\n" + "x" * 3000 + "\n", html="<p>ł</p>\n")
    message = parsed(sent)
    assert message["From"] == "Switchyard <noreply@mail.example>"
    assert message["To"] == ADDRESS
    assert message["Subject"] == "Zażółć"
    assert message["Date"].datetime == sent.written_at
    assert message["Message-ID"] == f"<{sent.id}@mail.example>"
    assert (body(message, "plain"), body(message, "html")) == (sent.text, sent.html)
    assert max(map(len, mime(sent, SENDER).as_bytes().splitlines())) <= 998


def test_the_message_is_the_same_every_time() -> None:
    sent = letter()
    assert mime(sent, SENDER).as_bytes() == mime(sent, SENDER).as_bytes()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(EVIL)
    | st.sampled_from([2**63, -(10**30)]) | st.dates().map(str) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
]  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(
    type_=st.sampled_from(TYPES),
    data=st.dictionaries(st.sampled_from(NAMES), JSON),
    name=st.text(min_size=1) | st.just(EVIL),
    id_=st.text(min_size=1, max_size=200) | st.just(EVIL),
)
def test_data_changes_nothing_but_words(
    type_: NotificationType, data: dict[str, Any], name: str, id_: str
) -> None:
    sent = written(type_, data, name=name, id=id_)
    message = parsed(sent)
    assert list(message.keys()) == HEADERS
    assert message["To"].addresses[0].addr_spec == ADDRESS
    assert message["Subject"] == sent.subject
    assert 0 < len(sent.subject) <= LONGEST_SUBJECT
    assert sent.subject.isprintable()
    assert body(message, "plain") == sent.text
    assert body(message, "html") == sent.html
    assert all(line.isprintable() for line in sent.text.split("\n"))
    usual = Tags(written(type_, dict.fromkeys(NAMES, "x")).html).tags
    assert set(Tags(sent.html).tags) <= set(usual)
    assert len(Tags(sent.html).tags) <= len(usual) + 8
    assert len(sent.text) < 10_000


def test_markup_in_data_is_shown_and_not_obeyed() -> None:
    sent = written("feature_disabled", {"feature": EVIL, "reason": "<b>&amp;</b>"}, name=EVIL)
    assert "<script" not in sent.html
    assert "<b>" not in sent.html
    words = "".join(Tags(sent.html).words)
    assert "<script>alert(1)</script> Bcc: eve@evil.example" in words
    assert "<b>&amp;</b>" in words
    assert "{subject}$x%s" in words
    assert "\u202e" not in sent.html


@pytest.mark.parametrize(
    "to",
    ["", "ops", "@acme.example", "ops@", "a@b.example\r\nBcc: eve@evil.example", "a b@c.example",
     "a@b.example, eve@evil.example", "Ops <a@b.example>", "a@b\0.example", "\ud800@b.example"],
)  # fmt: skip
def test_what_is_no_address_is_not_written_to(to: str) -> None:
    with pytest.raises(PermanentError, match="email address"):
        mime(letter(to=to), SENDER)


def test_a_subject_cannot_break_out_of_its_header() -> None:
    message = parsed(letter(subject="Hello\r\nBcc: eve@evil.example"))
    assert message["Bcc"] is None
    assert message["Subject"] == "Hello Bcc: eve@evil.example"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("switchyard@example.com", "switchyard@example.com"),
        ("Switchyard <switchyard@example.com>", "Switchyard <switchyard@example.com>"),
        ('"Yard, Inc." <y@example.com>', '"Yard, Inc." <y@example.com>'),
        (None, "Switchyard <switchyard@localhost>"),
    ],
)
def test_where_emails_come_from(text: str | None, shown: str) -> None:
    assert str(sender_of(text)) == shown


@pytest.mark.parametrize(
    "text", ["Switchyard", "x <y>", "a@b c", "<>", "a@", "a@b\nBcc: c@d", "\ud800@x.example"]
)
def test_where_emails_cannot_come_from(text: str) -> None:
    with pytest.raises(ConfigurationError, match="EMAIL_FROM: must be an address"):
        sender_of(text)
