"""A delivery: one webhook request from GitHub, as headers and bytes, made into checked values."""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from webhooks.github.fields import Fields
from webhooks.github.pushes import Push, is_legal_ref, parse_push
from webhooks.github.strict_json import parse_object, quoted
from worker.errors import InvalidInput, UnsupportedMedia
from worker.jobs.trace import new_traceparent

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
KEPT_HEADERS = (
    "X-GitHub-Hook-ID",
    "X-GitHub-Hook-Installation-Target-ID",
    "X-GitHub-Hook-Installation-Target-Type",
    "User-Agent",
    "Content-Type",
)
_GUID = re.compile(r"[A-Za-z0-9-]{1,100}")
_EVENT = re.compile(r"[a-z_]{1,64}")
_REPOSITORY = re.compile(r"(?!\.\.?/)[A-Za-z0-9._-]{1,100}/(?!\.\.?\Z)[A-Za-z0-9._-]{1,100}")
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Headers(Protocol):
    """Request headers: names in any case, several values possible (multidict's are such)."""

    def getall(self, key: str, default: list[str], /) -> Sequence[str]:
        """All values of a header, or `default`."""


@dataclass(slots=True)
class Delivery:
    """What a delivery says. `body` is the request's as it came; `headers` are KEPT_HEADERS.

    `repository` is GitHub's `owner/name`; it and `repository_id` are None together. `traceparent`
    is a span of its own, in the sender's trace if the request named one.
    """

    guid: str
    event: str
    action: str | None
    repository: str | None
    repository_id: int | None
    default_branch: str | None
    body: bytes
    headers: dict[str, str]
    push: Push | None
    traceparent: str


def parse(headers: Headers, body: bytes) -> Delivery:
    """The delivery in this request, whose signature was checked before.

    Raises InvalidInput for a malformed header, JSON document or field, and UnsupportedMedia for
    a content type other than JSON or a form with its JSON in `payload`, or a charset not UTF-8.
    """
    guid = _required(headers, "X-GitHub-Delivery", _GUID)
    event = _required(headers, "X-GitHub-Event", _EVENT)
    payload = Fields(parse_object(_document(headers, body)))
    is_push = event == "push"
    origin = payload.required_child("repository") if is_push else payload.child("repository")
    push = parse_push(payload, origin) if is_push and origin else None
    return Delivery(
        guid=guid,
        event=event,
        action=payload.text("action", 100),
        repository=_full_name(origin) if origin else None,
        repository_id=origin.required_id("id") if origin else None,
        default_branch=_default_branch(origin) if origin else None,
        body=body,
        headers=_kept(headers),
        push=push,
        traceparent=_traced(headers),
    )


def _required(headers: Headers, name: str, pattern: re.Pattern[str]) -> str:
    value = _only(headers, name)
    if value is None:
        raise InvalidInput(f"The header {name} is missing.")
    if pattern.fullmatch(value) is None:
        raise InvalidInput(f"The header {name} is malformed: {quoted(value)}.")
    return value


def _only(headers: Headers, name: str) -> str | None:
    values = headers.getall(name, [])
    if len(values) > 1:
        raise InvalidInput(f"The header {name} was sent {len(values)} times; send it once.")
    return values[0] if values else None


def _document(headers: Headers, body: bytes) -> bytes:
    media_type = _media_type(_only(headers, "Content-Type") or "")
    return body if media_type == JSON else _form_payload(body)


@lru_cache(maxsize=100)
def _media_type(content_type: str) -> str:
    media_type = content_type.partition(";")[0].strip().lower()
    charset = _CHARSET.search(content_type)
    if media_type not in (JSON, FORM):
        raise UnsupportedMedia(f"Send {JSON} or {FORM}, not {quoted(media_type)}.")
    if charset and charset[1].lower() not in ("utf-8", "utf8"):
        raise UnsupportedMedia(f"Send UTF-8, not the charset {quoted(charset[1])}.")
    return media_type


def _form_payload(form: bytes) -> bytes:
    name, _, value = form.partition(b"=")
    if name != b"payload" or b"&" in value:
        raise InvalidInput("The form must have the field payload, and no other.")
    if _BROKEN_ESCAPE.search(value):
        raise InvalidInput("The form's payload has a % without two hex digits after it.")
    return _unquoted(value)


def _unquoted(value: bytes) -> bytes:
    # Quoted-printable is the same code with = for %. Unlike urllib's, its decoder does not make
    # a list of every escape, which costs some hundred megabytes for a large push.
    value = value.replace(b"=", b"=3D").replace(b"%", b"=").replace(b"+", b" ")
    return binascii.a2b_qp(value)


def _full_name(repository: Fields) -> str:
    return repository.required_text("full_name", _REPOSITORY, "owner/name")


def _default_branch(repository: Fields) -> str | None:
    branch = repository.text("default_branch", 1024)
    if branch is not None and not _is_legal_branch(branch):
        repository.refuse("default_branch", "is not a legal branch name")
    return branch


@lru_cache(maxsize=1000)
def _is_legal_branch(name: str) -> bool:
    return is_legal_ref(f"refs/heads/{name}")


def _traced(headers: Headers) -> str:
    # By the standard a header sent twice is as good as none, and never a fault.
    values = headers.getall("traceparent", [])
    return new_traceparent(values[0] if len(values) == 1 else None)


def _kept(headers: Headers) -> dict[str, str]:
    return _escaped(*(", ".join(headers.getall(name, [])) for name in KEPT_HEADERS))


# All deliveries of a hook have the same.
@lru_cache(maxsize=1000)
def _escaped(*values: str) -> dict[str, str]:
    """Header values in printable ASCII, because a client may send any bytes."""
    found = zip(KEPT_HEADERS, values, strict=True)
    return {name: ascii(value)[1:-1][:256] for name, value in found if value}
