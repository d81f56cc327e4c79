"""What documents about other work share: whose story or epic they are about."""

from worker.artifacts import header, ids
from worker.artifacts.markdown import Document, plain
from worker.artifacts.source import Source

KEYS = header.KEYS | {"story", "story id", "epic", "epic id"}


def about(source: Source, document: Document) -> tuple[str | None, str | None]:
    """The bare ids of the epic and of the story that the head, title or file name gives."""
    story = _story(source, document)
    return (ids.epic_of_story(story) if story else epic(source, document)), story


def _story(source: Source, document: Document) -> str | None:
    field = header.first(document, "story", "story id")
    if field and (stated := ids.story_in_heading(f"Story {plain(field.value)}")[0]):
        return stated
    title = header.title(document)
    named = ids.story_named(title.title) if title else None
    return named or ids.story_in_file(source.stem)


def epic(source: Source, document: Document) -> str | None:
    """The bare id of the epic, from the same places."""
    stated = header.value(document, "epic", "epic id")
    title = header.title(document)
    for text in (f"epic {stated}" if stated else "", title.title if title else "", source.stem):
        if number := ids.epic_number(text):
            return number
    return None
