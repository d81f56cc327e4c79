"""Bare mirrors of remote repositories: hardened fetches and batched reads, never a checkout."""

from worker.git.environment import Credential
from worker.git.errors import (
    CommitNotFound,
    FetchTimedOut,
    GitFailed,
    MirrorBroken,
    MirrorTooLarge,
    NetworkTrouble,
    Refused,
    RepositoryUnavailable,
)
from worker.git.mirrors import Mirrors
from worker.git.names import branch_ref
from worker.git.snapshot import Blob, Change, Entry, Snapshot

__all__ = [
    "Blob",
    "Change",
    "CommitNotFound",
    "Credential",
    "Entry",
    "FetchTimedOut",
    "GitFailed",
    "MirrorBroken",
    "MirrorTooLarge",
    "Mirrors",
    "NetworkTrouble",
    "Refused",
    "RepositoryUnavailable",
    "Snapshot",
    "branch_ref",
]
