"""What tests of gates share: one sandbox that can read this interpreter."""

import pytest

from tests.gates.trees import PYTHON
from worker.gates.sandbox import Sandbox


@pytest.fixture(scope="session")
async def python_sandbox() -> Sandbox:
    """The real sandbox, in which this interpreter and its tools are to be had."""
    return await Sandbox.probe(readable=PYTHON)
