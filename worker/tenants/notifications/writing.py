"""From a notification to an email: its text, and the same in HTML with all that is data escaped."""

from html import escape

from worker.tenants.notifications.letters import Letter, one_line
from worker.tenants.notifications.model import Notified
from worker.tenants.notifications.templates import CONTENTS, LONGEST_SUBJECT, Content, Facts
from worker.tenants.organisations import Organisation

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{subject}</title></head>
<body style="margin:0;padding:24px;background:#f4f5f7;color:#1c2733;\
font:16px/1.5 -apple-system,'Segoe UI',Roboto,sans-serif">
<div style="max-width:560px;margin:0 auto;padding:24px;background:#fff;border-radius:8px">
<h1 style="margin:0 0 16px;font-size:20px">{subject}</h1>
<p>{opening}</p>
<table style="width:100%;border-collapse:collapse">
{rows}
</table>
<p>{advice}</p>
<p style="margin:24px 0 0;font-size:13px;color:#5b6876">{footer}</p>
</div>
</body>
</html>
"""
_CELL = "padding:6px 0;border-top:1px solid #e3e7ec;text-align:left;vertical-align:top"


def letter_of(notification: Notified, to: Organisation) -> Letter:
    """The email of a notification that has an address to go to: the same at every attempt."""
    assert notification.email_to is not None
    content = CONTENTS[notification.type](Facts(notification.data, to.zone))
    subject, footer = _subject(content), _footer(notification, to)
    return Letter(
        id=notification.id,
        to=notification.email_to,
        written_at=notification.created_at,
        subject=subject,
        text=_text(content, footer),
        html=_html(content, subject, footer),
    )


def _subject(content: Content) -> str:
    line = one_line(content.subject)
    return line if len(line) <= LONGEST_SUBJECT else f"{line[: LONGEST_SUBJECT - 1]}…"


def _footer(notification: Notified, to: Organisation) -> str:
    return (
        f"Sent by Switchyard to {one_line(to.name)} ({one_line(to.id)}), whose notification "
        f"preferences say what is told, and how. Notification {notification.id}."
    )


def _text(content: Content, footer: str) -> str:
    facts = "\n".join(f"{name}: {value}" for name, value in content.facts if value)
    parts = (content.opening, facts, content.advice, f"-- \n{footer}")
    return "\n\n".join(p for p in parts if p) + "\n"


def _html(content: Content, subject: str, footer: str) -> str:
    return _PAGE.format(
        subject=escape(subject),
        opening=escape(content.opening),
        rows="\n".join(_row(name, value) for name, value in content.facts if value),
        advice=escape(content.advice),
        footer=escape(footer),
    )


def _row(name: str, value: str) -> str:
    cells = ((tag, escape(text)) for tag, text in (("th", name), ("td", value)))
    row = "".join(f'<{tag} style="{_CELL}">{text}</{tag}>' for tag, text in cells)
    return f"<tr>{row}</tr>"
