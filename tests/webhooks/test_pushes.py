"""Pushes: the fields read from them, and every class of bad ref, commit id and repository."""

import json
import subprocess

import pytest

from tests.deliveries import Recorded, load
from webhooks.github.deliveries import Delivery, parse
from webhooks.github.pushes import Push, is_legal_ref
from worker.errors import InvalidInput

ZERO = "0" * 40


def parsed(recorded: Recorded) -> Delivery:
    return parse(recorded.headers, recorded.body)


def push_of(name: str) -> Push:
    push = parsed(load(name)).push
    assert push is not None
    return push


def refused(recorded: Recorded) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parsed(recorded)
    return caught.value


def in_repository(**changes: object) -> Recorded:
    recorded = load("push_branch")
    repository = json.loads(recorded.body)["repository"] | changes
    return recorded.with_body(repository=repository)


def pushing(**changes: object) -> Recorded:
    return load("push_branch").with_body(**changes)


def test_what_tells_the_other_pushes_apart() -> None:
    assert push_of("push_branch_with_slashes").branch == "feature/tides/northern-basin"
    assert push_of("push_branch_dash_x").branch == "-x"
    assert push_of("push_force").forced
    tag = push_of("push_tag")
    assert (tag.branch, tag.tag) == (None, "v1.4.0")
    gone = push_of("push_deleted_branch")
    assert (gone.deleted, gone.after) == (True, ZERO)
    assert push_of("push_new_branch").deleted is False


def test_a_sha256_repository_is_understood() -> None:
    for after, deleted in (("b" * 64, False), ("0" * 64, True)):
        push = parsed(pushing(after=after)).push
        assert push is not None
        assert (push.after, push.deleted) == (after, deleted)


@pytest.mark.parametrize(
    "ref",
    [
        "main",
        "refs/",
        "refs/heads/",
        "refs/heads/a\nb",
        "refs/heads/a\n",
        "refs/heads/a\x7fb",
        "refs/heads/a..b",
        "refs/heads/a b",
        "refs/heads/a~1",
        "refs/heads/a^",
        "refs/heads/a:b",
        "refs/heads/a?",
        "refs/heads/a*",
        "refs/heads/a[b",
        "refs/heads/a\\b",
        "refs/heads/a.lock",
        "refs/heads/a.lock/b",
        "refs/heads/.a",
        "refs/heads/a.",
        "refs/heads/a/",
        "refs/heads//a",
        "refs/heads/a@{1}",
        "refs/heads/" + "a" * 4096,
        "refs/heads/" + "é" * 512,
    ],
)
def test_illegal_refs(ref: str) -> None:
    error = refused(pushing(ref=ref))
    assert list(error.fields) == ["ref"]
    assert len(error.message) < 200
    assert error.message.isprintable()


@pytest.mark.parametrize(
    "branch", ["-x", "--upload-pack=x", "a/b/c", "@", "a@b", "é/⚓", "a.lockb", "a" * 1013]
)
def test_legal_branches(branch: str) -> None:
    push = parsed(pushing(ref=f"refs/heads/{branch}")).push
    assert push is not None
    assert push.branch == branch


def test_refs_are_judged_as_git_judges_them() -> None:
    pieces = [*"ab/.@{-~^:?*[\\ \x1f\x7f", ".lock", "..", "é"]
    names = [a + b + c for a in pieces for b in ("x", "/", ".") for c in pieces[:6] + pieces[-3:]]
    script = 'for name; do git check-ref-format "refs/heads/$name" && echo 1 || echo 0; done'
    run = subprocess.run(["sh", "-c", script, "sh", *names], capture_output=True, check=True)
    accepted = [line == b"1" for line in run.stdout.split()]
    assert len(accepted) == len(names)
    assert [is_legal_ref(f"refs/heads/{name}") for name in names] == accepted


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ref", None),
        ("ref", 7),
        ("after", None),
        ("after", "0" * 39),
        ("after", "A" * 40),
        ("after", "a" * 41),
        ("after", "a" * 65),
        ("after", "g" * 40),
        ("after", "a" * 40 + "\n"),
        ("after", ["a" * 40]),
        ("deleted", "false"),
        ("deleted", 1),
        ("forced", {}),
        ("action", 1),
        ("action", "a" * 101),
        ("repository", None),
        ("repository", "example-org/harbour-ledger"),
    ],
)
def test_malformed_fields_of_a_push(field: str, value: object) -> None:
    assert list(refused(pushing(**{field: value})).fields) == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("full_name", None),
        ("full_name", "harbour-ledger"),
        ("full_name", "a/b/c"),
        ("full_name", "../b"),
        ("full_name", "a/.."),
        ("full_name", "a/b\n"),
        ("full_name", "a/é"),
        ("id", None),
        ("id", 0),
        ("id", -5),
        ("id", True),
        ("id", 1.0),
        ("id", "734018265"),
        ("default_branch", "a b"),
        ("default_branch", ""),
        ("default_branch", 1),
    ],
)
def test_malformed_fields_of_a_repository(field: str, value: object) -> None:
    assert list(refused(in_repository(**{field: value})).fields) == [f"repository.{field}"]


@pytest.mark.parametrize("field", ["before", "created", "commits", "head_commit"])
def test_what_nobody_reads_may_be_anything(field: str) -> None:
    assert parsed(pushing(**{field: ["unexpected"]})).push == push_of("push_branch")


@pytest.mark.parametrize("login", ["ada", "quay-updater[bot]", "ada_example"])
def test_the_sender_is_known_by_login(login: str) -> None:
    push = parsed(pushing(sender={"login": login, "id": 1})).push
    assert push is not None
    assert push.sender == login


@pytest.mark.parametrize(
    "sender", [None, ["unexpected"], {}, {"login": 7}, {"login": "a\nb"}, {"login": "x" * 200}]
)
def test_a_sender_that_is_none_is_nobody(sender: object) -> None:
    push = parsed(pushing(sender=sender)).push
    assert push is not None
    assert push.sender is None
