"""`switchyard credentials`: what proves access to repositories, stored sealed, never shown."""

import getpass
import sys
from argparse import Namespace

from pydantic import SecretStr

from worker.cli.arguments import add_fields, command, from_options
from worker.cli.output import Columns, details, page, text
from worker.cli.parsers import Commands, group
from worker.cli.services import Services
from worker.credentials.model import KINDS
from worker.credentials.vault import (
    LONGEST_SECRET,
    CredentialQuery,
    NewCredential,
    Place,
    Rotation,
    StoredCredential,
)
from worker.errors import InvalidInput
from worker.jobs.views import Page

COLUMNS: Columns = {
    "id": lambda credential: credential.id,
    "of": lambda credential: credential.project_id or credential.org_id,
    "kind": lambda credential: credential.kind,
    "host": lambda credential: credential.host,
    "key": lambda credential: credential.key_id,
    "set": lambda credential: credential.created_at,
    "rotated": lambda credential: credential.rotated_at,
}
NOT_ALL = 1


def add_commands(commands: Commands) -> None:
    """Setting, listing, removing and rotating; the secret comes from standard input alone."""
    credentials = group(commands, "credentials", "what proves access to repositories")
    help_text = "store one; its secret is asked for, or read from standard input"
    store = command(credentials, "set", help_text, _set, details,
                    audit="credential.set")  # fmt: skip
    add_fields(store, NewCredential, "kind", "secret")
    listed = command(credentials, "list", "what is stored, without secrets", _list, page(COLUMNS))
    add_fields(listed, CredentialQuery)
    remove = command(credentials, "remove", "delete one", _remove, _removed,
                     audit="credential.removed")  # fmt: skip
    add_fields(remove, Place, "kind")
    for parser in (store, remove):
        parser.add_argument("--kind", choices=KINDS, required=True, help="what it is")
    command(credentials, "rotate", "seal all with the first key", _rotate, _rotated, _code,
            audit="credentials.rotated")  # fmt: skip


async def _set(services: Services, options: Namespace) -> StoredCredential:
    # What is wrong with the rest is told before anybody types a secret.
    wanted = from_options(NewCredential, options, secret=SecretStr(""))
    secret = _secret(one_line=wanted.kind != "github-app")
    return await services.vault.set(wanted.model_copy(update={"secret": secret}))


async def _list(services: Services, options: Namespace) -> Page[StoredCredential]:
    return await services.vault.page(from_options(CredentialQuery, options))


async def _remove(services: Services, options: Namespace) -> StoredCredential:
    return await services.vault.remove(from_options(Place, options))


async def _rotate(services: Services, _: Namespace) -> Rotation:
    return await services.vault.rotate()


def _secret(*, one_line: bool) -> SecretStr:
    if sys.stdin.isatty():
        if not one_line:
            problem = "is read from standard input: add < key.pem"
            raise InvalidInput("A private key cannot be typed.", {"secret": problem})
        return SecretStr(getpass.getpass("Secret: "))
    try:
        return SecretStr(sys.stdin.read(LONGEST_SECRET + 2))
    except UnicodeDecodeError:
        raise InvalidInput("The secret is not text.", {"secret": "is not UTF-8"}) from None


def _removed(credential: StoredCredential) -> str:
    owner = credential.project_id or credential.org_id
    return f"the {credential.kind} credential of {owner} for {credential.host} is deleted"


def _rotated(rotation: Rotation) -> str:
    done = f"sealed anew with key {rotation.key_id}: {rotation.resealed}"
    return "\n".join([done, *(text(problem) for problem in rotation.unopenable)])


def _code(rotation: Rotation) -> int:
    return NOT_ALL if rotation.unopenable else 0
