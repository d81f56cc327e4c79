"""What proves access to repositories: sealed in the record, opened only in the worker."""

from worker.cipher import Cipher, Unopenable
from worker.credentials.model import Kind, Owner
from worker.credentials.resolving import Credentials, InstallationToken, github_host
from worker.credentials.store import CredentialStore

__all__ = [
    "Cipher",
    "CredentialStore",
    "Credentials",
    "InstallationToken",
    "Kind",
    "Owner",
    "Unopenable",
    "github_host",
]
