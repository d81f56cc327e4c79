"""Project documents as records: stories, epics, decisions and quality gates."""

from worker.artifacts.model import Artifact
from worker.artifacts.parser import PARSER_VERSION, classify, parse
from worker.artifacts.source import Family

__all__ = ["PARSER_VERSION", "Artifact", "Family", "classify", "parse"]
