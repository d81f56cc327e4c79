"""Whose a credential is, and what kind it is of."""

from dataclasses import dataclass
from typing import Literal, get_args
from uuid import UUID

Kind = Literal["git", "github-token", "github-app"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Owner:
    """A project, or an organisation with all its projects: exactly one of the two."""

    project_id: UUID | None = None
    org_id: str | None = None

    def __str__(self) -> str:
        if self.project_id is not None:
            return f"project {self.project_id}"
        return f"organisation {self.org_id}"


@dataclass(frozen=True, slots=True)
class Label:
    """What is written on a sealed credential, outside and inside: `host` may have a port."""

    owner: Owner
    kind: Kind
    host: str

    def __str__(self) -> str:
        return f"the {self.kind} credential of {self.owner} for {self.host}"

    def inside(self) -> list[str]:
        """What is sealed in with the credential."""
        return [str(self.owner), self.kind, self.host]
