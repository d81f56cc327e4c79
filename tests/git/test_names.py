"""What may reach git."""

import pytest

from worker.git.errors import Refused
from worker.git.names import (
    PIN_SLOTS,
    branch_ref,
    check_key,
    check_object_id,
    check_ref,
    check_url,
    pin_for,
)


@pytest.mark.parametrize("key", ["p", "0190-ab.c_d", "a" * 128])
def test_safe_keys_pass(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize("key", ["", ".", "..", "-x", "a/b", "../a", "a\n", "a\0", "ä", "a" * 129])
def test_unsafe_keys_are_refused(key: str) -> None:
    with pytest.raises(Refused):
        check_key(key)


@pytest.mark.parametrize("sha", ["a" * 40, "0" * 39 + "1", "b" * 64])
def test_object_ids_pass(sha: str) -> None:
    assert check_object_id(sha) == sha


@pytest.mark.parametrize(
    "sha", ["", "HEAD", "a" * 39, "a" * 41, "A" * 40, "0" * 40, "0" * 64, "a" * 40 + "\n", "-" * 40]
)
def test_other_object_ids_are_refused(sha: str) -> None:
    with pytest.raises(Refused):
        check_object_id(sha)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/owner/name",
        "https://github.com/owner/name.git",
        "https://git.example.org:8443/a/b/@c",
        "https://[::1]:8443/a",
    ],
)
def test_plain_https_urls_pass(url: str) -> None:
    assert check_url(url, ["https"]) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/srv/repository",
        "file:///srv/repository",
        "ssh://git@github.com/a/b",
        "git@github.com:a/b",
        "http://github.com/a/b",
        "HTTPS://github.com/a/b",
        "ext::sh -c id",
        "https::ext::sh -c id",
        "--upload-pack=id",
        "-https://github.com/a/b",
        "https:///a/b",
        "https://github.com",
        "https://github.com/",
        "https://:443/a",
        "https://github.com:port/a",
        "https://github.com:99999/a",
        "https://user@github.com/a/b",
        "https://user:secret@github.com/a/b",
        "https://@github.com/a/b",
        "https://-x.example.org/a",
        "https://github.com/a b",
        "https://github.com/a\nb",
        "https://git\thub.com/a",
        "https://github.com\\@evil.example/a",
        "https://github.com/a\x7f",
        "https://github.com/a\udc80",
        " https://github.com/a",
    ],
)
def test_other_urls_are_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_url(url, ["https"])
    assert "secret" not in str(refusal.value)


def test_a_file_url_has_no_host() -> None:
    assert check_url("file:///srv/a", ["file"]) == "file:///srv/a"
    with pytest.raises(Refused):
        check_url("file://host/srv/a", ["file"])


@pytest.mark.parametrize("branch", ["main", "-x", "feature/a/b", "ünïcode", "a@b", "a{b", "--"])
def test_odd_but_valid_branches_pass(branch: str) -> None:
    assert branch_ref(branch) == f"refs/heads/{branch}"


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "main",
        "-x",
        "refs/",
        "refs/heads/",
        "refs/heads/a\nb",
        "refs/heads/a\0",
        "refs/heads/a\x7f",
        "refs/heads/a b",
        "refs/heads/../b",
        "refs/heads/a..b",
        "refs/heads/.a",
        "refs/heads/a.lock",
        "refs/heads/a.lock/b",
        "refs/heads/a.",
        "refs/heads//a",
        "refs/heads/a@{1}",
        "refs/heads/a:b",
        "refs/heads/a*",
        "refs/heads/a?",
        "refs/heads/a[",
        "refs/heads/a~1",
        "refs/heads/a^",
        "refs/heads/a\\b",
        "refs/heads/a\udc80",
        "refs/heads/" + "a" * 4096,
    ],
)
def test_invalid_refs_are_refused(ref: str) -> None:
    with pytest.raises(Refused):
        check_ref(ref)


def test_pins_are_few_and_flat() -> None:
    pins = {pin_for(f"refs/heads/branch/{number}") for number in range(2000)}
    assert len(pins) == PIN_SLOTS
    assert all(pin.count("/") == 2 for pin in pins)
