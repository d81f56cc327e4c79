"""What every payload is: camelCase on the wire, checked, bounded, unknown fields refused."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]+$")]
Days = Annotated[int, Field(ge=1, le=36_500)]


class Payload(BaseModel):
    """The base: unknown fields are refused, so that a typo is an error and not a default."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )

    def wire(self) -> dict[str, Any]:
        """The JSON object that is stored and shown."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ProjectPayload(Payload):
    """A payload about one project."""

    project_id: UUID


class OrganisationPayload(Payload):
    """A payload about one organisation."""

    org_id: Name


def field_errors(error: ValidationError) -> dict[str, str]:
    """What is wrong, by dotted field name as it stands on the wire."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return {".".join(str(part) for part in e["loc"]) or "(body)": e["msg"] for e in found}
