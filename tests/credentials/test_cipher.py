"""What is sealed opens for its owner alone, and with the right key alone."""

from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from worker.cipher import key_id
from worker.credentials import Cipher, Owner, Unopenable
from worker.credentials.model import Label
from worker.errors import ConfigurationError

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
PROJECT = Owner(project_id=UUID(int=1))
LABEL = Label(PROJECT, "github-token", "github.com")
CONTENT = {"secret": "s3cret-token"}


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.just("ź\n\0")))
def test_what_is_sealed_opens(content: dict[str, str]) -> None:
    cipher = Cipher([OLD])
    sealed = cipher.seal(LABEL, content)
    assert cipher.open(LABEL, sealed.data) == content


@pytest.mark.parametrize(
    "other",
    [
        Label(Owner(project_id=UUID(int=2)), "github-token", "github.com"),
        Label(Owner(org_id=str(UUID(int=1))), "github-token", "github.com"),
        Label(PROJECT, "git", "github.com"),
        Label(PROJECT, "github-token", "evil.example"),
    ],
)
def test_a_row_that_was_copied_elsewhere_does_not_open(other: Label) -> None:
    cipher = Cipher([OLD])
    with pytest.raises(Unopenable, match="another owner, kind or host") as refused:
        cipher.open(other, cipher.seal(LABEL, CONTENT).data)
    assert str(other.owner) in refused.value.message
    assert "s3cret" not in refused.value.message


def test_an_organisation_named_like_a_project_is_another_owner() -> None:
    assert str(Owner(org_id="7")) != str(Owner(project_id=UUID(int=7)))


def test_the_first_key_seals_and_any_opens() -> None:
    old, both = Cipher([OLD]), Cipher([NEW, OLD])
    before, after = old.seal(LABEL, CONTENT), both.seal(LABEL, CONTENT)
    assert (before.key_id, after.key_id) == (key_id(OLD), key_id(NEW))
    assert both.open(LABEL, before.data) == both.open(LABEL, after.data) == CONTENT
    with pytest.raises(Unopenable, match="no key in CREDENTIAL_ENCRYPTION_KEY"):
        old.open(LABEL, after.data)


def test_a_changed_byte_is_noticed() -> None:
    data = bytearray(Cipher([OLD]).seal(LABEL, CONTENT).data)
    data[-5] ^= 1
    with pytest.raises(Unopenable, match="tampered with"):
        Cipher([OLD]).open(LABEL, bytes(data))


def test_nothing_can_be_read_from_what_is_sealed() -> None:
    sealed = Cipher([OLD]).seal(LABEL, CONTENT)
    assert b"s3cret" not in sealed.data
    assert OLD not in sealed.key_id


def test_without_a_key_nothing_is_sealed_or_opened() -> None:
    sealed = Cipher([OLD]).seal(LABEL, CONTENT)
    with pytest.raises(ConfigurationError, match="CREDENTIAL_ENCRYPTION_KEY is required"):
        Cipher([]).seal(LABEL, CONTENT)
    with pytest.raises(Unopenable, match="set CREDENTIAL_ENCRYPTION_KEY"):
        Cipher([]).open(LABEL, sealed.data)


@pytest.mark.parametrize(
    "wrong", ["", "short", "x" * 44, OLD[:-2]], ids=["empty", "short", "33 bytes", "cut"]
)
def test_what_is_no_key_is_refused_and_not_shown(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="key 2 is not 32 bytes") as refused:
        Cipher([OLD, wrong])
    assert not wrong or wrong not in str(refused.value)
