"""The version moves when the records do."""

import hashlib

from tests.artifacts.documents import all_stored
from worker.artifacts import PARSER_VERSION

RECORDS = {
    1: "076d961ebe99963209d16bd39d96e5ac3051752e196ec7aac9a7101d5f4d0f82",
    2: "07700c275a5125af38a33a31655976d3ea23c0259ae1d02383028168d5abf49e",
}


def test_a_record_that_changes_needs_a_new_version() -> None:
    written = "\n".join(artifact.model_dump_json() for artifact in all_stored())
    digest = hashlib.sha256(written.encode()).hexdigest()
    assert RECORDS.get(PARSER_VERSION) == digest, (
        "the records of the stored documents have changed: raise PARSER_VERSION and note the "
        f"digest {digest} here"
    )
