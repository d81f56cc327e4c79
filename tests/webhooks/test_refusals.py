"""Bad requests: a clear 4xx within a second, nothing recorded, no secret in a log."""

import gzip
import json
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from tests.deliveries import SECRET, Recorded
from tests.webhooks.service import GITHUB, Service, fresh

Headers = list[tuple[str, str]]
Change = Callable[[Headers], Headers]


def without(name: str) -> Change:
    return lambda headers: [(n, v) for n, v in headers if n != name]


def having(name: str, value: str) -> Change:
    return lambda headers: [*without(name)(headers), (name, value)]


def doubled(name: str) -> Change:
    return lambda headers: [*headers, *((n, v) for n, v in headers if n == name)]


SIGNATURE = "X-Hub-Signature-256"
HEADER_FAULTS: dict[str, tuple[Change, int]] = {
    "no signature at all": (
        lambda h: without(SIGNATURE)(without("X-Hub-Signature")(h)), 401),
    "sha-1 only": (without(SIGNATURE), 401),
    "malformed signature": (having(SIGNATURE, "sha256=xyz"), 401),
    "empty signature": (having(SIGNATURE, ""), 401),
    "sha-1 in the header of sha-256": (having(SIGNATURE, "sha1=" + "0" * 40), 401),
    "non-ascii signature": (having(SIGNATURE, "sha256=\u00e9\u20ac"), 401),
    "wrong signature": (having(SIGNATURE, "sha256=" + "0" * 64), 401),
    "doubled signature": (doubled(SIGNATURE), 401),
    "no guid": (without("X-GitHub-Delivery"), 400),
    "malformed guid": (having("X-GitHub-Delivery", "../../etc"), 400),
    "guid of 4 kB": (having("X-GitHub-Delivery", "a" * 4096), 400),
    "doubled guid": (doubled("X-GitHub-Delivery"), 400),
    "no event": (without("X-GitHub-Event"), 400),
    "malformed event": (having("X-GitHub-Event", "Push!"), 400),
    "wrong content type": (having("Content-Type", "text/plain"), 415),
    "other charset": (having("Content-Type", "application/json; charset=utf-16"), 415),
    "unknown encoding": (having("Content-Encoding", "br"), 415),
}  # fmt: skip
_PUSH = json.loads(fresh().body)
BODY_FAULTS: dict[str, bytes] = {
    "empty": b"",
    "truncated": fresh().body[:-40],
    "not json": b"<xml/>",
    "scalar": b"42",
    "array": b"[]",
    "null": b"null",
    "deeply nested": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "deeply nested arrays": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "NUL": b'{"ref":"refs/heads/a\\u0000b"}',
    "lone surrogate": b'{"ref":"refs/heads/\\ud800"}',
    "not utf-8": b'{"ref":"\xff"}',
    "duplicate keys": b'{"ref":"refs/heads/a","ref":"refs/heads/b"}',
    "integer past 64 bits": json.dumps(_PUSH | {"n": 2**64}).encode(),
    "huge integer": b'{"n":' + b"9" * 200_000 + b"}",
    "NaN": b'{"n":NaN}',
    "ref with newline": json.dumps(_PUSH | {"ref": "refs/heads/a\nb"}).encode(),
    "ref with dots": json.dumps(_PUSH | {"ref": "refs/heads/../../x"}).encode(),
    "ref of 4 kB": json.dumps(_PUSH | {"ref": "refs/heads/" + "x" * 4096}).encode(),
    "ref of another type": json.dumps(_PUSH | {"ref": ["refs/heads/main"]}).encode(),
    "no repository": json.dumps(_PUSH | {"repository": None}).encode(),
    "bad commit": json.dumps(_PUSH | {"after": "HEAD"}).encode(),
}


@pytest.mark.parametrize("fault", HEADER_FAULTS)
async def test_a_faulty_header_is_refused(service: Service, fault: str) -> None:
    change, status = HEADER_FAULTS[fault]
    recorded = fresh()
    await _refused(service, status, change(list(recorded.signed().items())), recorded.body)


@pytest.mark.parametrize("fault", BODY_FAULTS)
async def test_a_signed_but_faulty_body_is_refused(service: Service, fault: str) -> None:
    recorded = Recorded(fresh().headers, BODY_FAULTS[fault])
    await _refused(service, 400, list(recorded.signed().items()), recorded.body)


async def test_a_signature_over_other_bytes_is_refused(service: Service) -> None:
    recorded = fresh()
    await _refused(service, 401, list(recorded.signed().items()), recorded.body + b" ")


async def test_a_compressed_body_is_refused_before_it_is_expanded(service: Service) -> None:
    bomb = Recorded(fresh().headers, gzip.compress(b"0" * 50_000_000))
    headers = [*bomb.signed().items(), ("Content-Encoding", "gzip")]
    await _refused(service, 415, headers, bomb.body)


async def test_a_form_without_a_payload_is_refused(service: Service) -> None:
    form = Recorded(fresh().as_form().headers, b"other=1")
    await _refused(service, 400, list(form.signed().items()), form.body)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_a_wrong_method_says_which_is_right(service: Service, method: str) -> None:
    answer = await service.call(method, GITHUB)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert answer.error["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/", "/api", "/api/webhooks", f"{GITHUB}/", "/api/../etc"])
async def test_a_wrong_path_is_not_found(service: Service, path: str) -> None:
    answer = await service.call("POST", path, data=b"{}")
    assert (answer.status, answer.error["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    ],
    ids=["TLS", "negative length", "two lengths", "length and chunks", "long header", "no colon"],
)
async def test_what_is_not_http_is_told_so_in_json(service: Service, sent: bytes) -> None:
    answer = await service.raw(sent)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert json.loads(body)["error"]["code"] == "malformed_request"


async def test_a_broken_chunk_is_malformed(service: Service) -> None:
    head = b"POST /api/webhooks/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await service.raw(head + b"5\r\nhello\r\nzz\r\n")
    assert b" 400 " in answer.splitlines()[0]


async def test_every_answer_has_security_headers_and_an_id(service: Service) -> None:
    answers = [await service.call("GET", p) for p in ("/livez", "/api/jobs", "/nowhere")]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert len({a.headers["X-Request-Id"] for a in answers}) == 3


async def _refused(service: Service, status: int, headers: Headers, body: bytes) -> None:
    before = await service.counts()
    with capture_logs() as logs:
        answer = await service.call("POST", GITHUB, data=body, headers=headers)
    assert answer.status == status, answer.text
    assert answer.seconds < 1.0
    assert answer.error["message"]
    assert answer.error["code"] == {400: "invalid_input", 401: "unauthorized"}.get(
        status, "unsupported_media_type"
    )
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert await service.counts() == before
    assert [line["event"] for line in logs] == ["webhook.refused"]
    assert SECRET not in repr(logs) + answer.text
