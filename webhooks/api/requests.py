"""Reading a request's query, path and body into checked values, and answering in JSON."""

from typing import TypeVar
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ValidationError

from webhooks.github.strict_json import quoted
from webhooks.resources import RESOURCES
from worker.errors import InvalidInput, NotFound
from worker.jobs.payload_base import field_errors
from worker.jobs.views import wire

Model = TypeVar("Model", bound=BaseModel)
VIEW = web.ResponseKey("view", BaseModel)


def query_as(request: web.Request, model: type[Model]) -> Model:
    """The query as the model.

    Raises InvalidInput naming each parameter that is wrong, unknown, repeated or unprintable.
    """
    known = {f.alias or name for name, f in model.model_fields.items()}
    for name, value in request.query.items():
        if name not in known:
            there_are = ", ".join(sorted(known)) or "none"
            raise _refused(name[:100], f"is not a parameter here; there are {there_are}")
        if len(request.query.getall(name)) > 1:
            raise _refused(name, "was given more than once")
        if not value.isprintable():
            raise _refused(name, "has characters that cannot be printed")
    return _checked(dict(request.query), model)


async def body_as(request: web.Request, model: type[Model]) -> Model:
    """The JSON body as the model. Raises InvalidInput naming each wrong field, never its value."""
    return _checked(await request.app[RESOURCES].bodies.json(request), model)


async def optional_body_as(request: web.Request, model: type[Model]) -> Model:
    """The same, where no body at all stands for an empty object."""
    return await body_as(request, model) if request.body_exists else _checked({}, model)


def path_id(request: web.Request) -> UUID:
    """The UUID in the path. Raises NotFound for what cannot be one."""
    return path_uuid(request, "id")


def path_uuid(request: web.Request, name: str) -> UUID:
    """The same for the part of the path with that name."""
    text = request.match_info[name]
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"{quoted(text)} is not an id.") from None


def answer(view: BaseModel, status: int = 200) -> web.Response:
    """A JSON answer; it remembers what it shows, for the audit log."""
    response = web.Response(
        status=status, body=wire(view), content_type="application/json", charset="utf-8"
    )
    response[VIEW] = view
    return response


def _checked(document: dict[str, object], model: type[Model]) -> Model:
    try:
        return model.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidInput("The request is not valid.", field_errors(error)) from None


def _refused(name: str, problem: str) -> InvalidInput:
    return InvalidInput(f"{quoted(name)} {problem}.", {name: problem})
