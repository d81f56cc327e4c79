"""What the fake GitHub has: Apps, tokens, repositories with commits, checks, statuses and hooks."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


class Refusal(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, message: str, errors: list[Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message} | ({"errors": errors} if errors else {})
        self.headers: dict[str, str] = {}


@dataclass
class Hook:
    """A webhook: where it goes, and what was tried to deliver."""

    id: int
    url: str
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    lists_redeliveries: bool = True

    def failed(
        self, guid: str, age: timedelta = timedelta(hours=1), *, arrived: bool = False, **more: Any
    ) -> dict[str, Any]:
        """Note an attempt; newest first, as GitHub lists them."""
        delivery = {
            "id": next(_NUMBERS),
            "guid": guid,
            "delivered_at": (datetime.now(UTC) - age).isoformat().replace("+00:00", "Z"),
            "redelivery": False,
            "status": "OK" if arrived else "Invalid HTTP Response: 503",
            "status_code": 202 if arrived else 503,
            "event": "push",
            "repository_id": None,
        } | more
        self.deliveries.append(delivery)
        self.deliveries.sort(key=lambda d: str(d["delivered_at"]), reverse=True)
        return delivery

    def reset(self) -> None:
        """As new."""
        self.deliveries.clear()
        self.asked.clear()
        self.lists_redeliveries = True
        self.url = "https://here.example/api/webhooks/github"

    def redeliver(self, delivery_id: int) -> None:
        """Try again, in vain."""
        self.asked.append(delivery_id)
        first = next(d for d in self.deliveries if d["id"] == delivery_id)
        if self.lists_redeliveries:
            again = {"redelivery": True, "repository_id": first["repository_id"]}
            self.failed(first["guid"], timedelta(), **again)


@dataclass
class Repository:
    """A repository; `commits` are those that can be reported on."""

    id: int
    name: str
    commits: set[str] = field(default_factory=set)
    check_runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    hooks: dict[int, Hook] = field(default_factory=dict)
    installation: int | None = None
    renamed_to: str | None = None

    def runs(self, name: str) -> list[dict[str, Any]]:
        """The check runs of a name, in order."""
        return [r for r in self.check_runs.values() if r["name"] == name]

    def add_hook(self, url: str = "https://here.example/api/webhooks/github") -> Hook:
        """One more webhook."""
        hook = Hook(next(_NUMBERS), url)
        self.hooks[hook.id] = hook
        return hook


@dataclass
class Token:
    """An installation's token, narrowed to repositories and permissions."""

    text: str
    installation: int
    repositories: set[int]
    permissions: dict[str, str]
    expires_at: datetime


class App:
    """A GitHub App: its number, its key, its hook."""

    def __init__(self, app_id: str, permissions: dict[str, str]) -> None:
        self.id = app_id
        self.permissions = permissions
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.hook = Hook(0, "https://here.example/api/webhooks/github")
        self.installations: set[int] = set()

    @property
    def pem(self) -> str:
        """The private key."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()


@dataclass
class Company:
    """All of it."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    personal: set[str] = field(default_factory=set)
    token_life: timedelta = timedelta(hours=1)

    def repository(self, name: str) -> Repository:
        """The repository. Raises a 404."""
        found = self.repositories.get(name.lower())
        if found is None:
            raise Refusal(404, "Not Found")
        return found

    def new_token(self, installation: int, body: dict[str, Any]) -> Token:
        """A token of an installation, narrowed as asked. Raises a 422."""
        app = next(a for a in self.apps.values() if installation in a.installations)
        reach = [r for r in self.repositories.values() if r.installation == installation]
        wanted = set(body.get("repositories") or []) | set(body.get("repository_ids") or [])
        chosen = {r.id for r in reach if not wanted or {r.name.split("/")[1], r.id} & wanted}
        if wanted and len(chosen) != len(wanted):
            raise Refusal(422, "There is at least one repository that does not exist")
        permissions = body.get("permissions") or app.permissions
        for name, level in permissions.items():
            if app.permissions.get(name) not in (level, "write"):
                raise Refusal(422, "The permissions requested are not granted to this installation")
        end = datetime.now(UTC) + self.token_life
        token = Token(f"ghs_{next(_NUMBERS):036}", installation, chosen, permissions, end)
        self.tokens[token.text] = token
        return token


_NUMBERS = itertools.count(1000)


def new_number() -> int:
    """A number that nothing has yet."""
    return next(_NUMBERS)
