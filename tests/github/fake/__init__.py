"""A GitHub of the tests' own: it enforces the rules, and records who breaks them."""

from tests.github.fake.server import FakeGitHub, Request
from tests.github.fake.state import App, Repository

__all__ = ["App", "FakeGitHub", "Repository", "Request"]
