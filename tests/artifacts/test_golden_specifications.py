"""Each stored proposal and specification, field by field, and the same every time."""

import json

import pytest

from tests.artifacts.specification import GOLDEN, PLACES, SPECIFICATIONS, specified


@pytest.mark.parametrize("name", sorted(PLACES))
def test_the_record_of_a_stored_document(name: str) -> None:
    """A difference here that is meant needs a higher PARSER_VERSION."""
    expected = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert specified(name).model_dump(mode="json", exclude_defaults=True) == expected


@pytest.mark.parametrize("name", sorted(PLACES))
def test_equal_bytes_at_an_equal_path_give_equal_json(name: str) -> None:
    assert specified(name).model_dump_json() == specified(name).model_dump_json()


def test_every_stored_document_has_a_record() -> None:
    assert {path.name for path in SPECIFICATIONS.iterdir()} == set(PLACES)
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.json" for name in PLACES}
