"""What enhancement proposals of all houses share: numbers, references, dates."""

import re

from worker.artifacts.model import Reference

_NUMBER = re.compile(r"(?<![\w.])\d{1,6}(?![\w.]*\d)")
_DATE = re.compile(r"(?<!\d)(\d{1,2})[- ]([A-Za-z]{3})[a-z]{0,6}[- ](\d{4})(?!\d)")
_ISO_DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def spelled(house: str, digits: str) -> str:
    """One spelling for a proposal's id: "pep" and "0008" are "pep-8"."""
    return f"{house}-{digits.lstrip('0') or '0'}"


def numbers(house: str, text: str) -> list[str]:
    """The ids of the bare numbers in `text`."""
    return [spelled(house, digits) for digits in _NUMBER.findall(text)]


def reference(target: str, line: int, quote: str) -> Reference:
    return Reference(kind="proposal", target=target, line=line, quote=quote)


def date(written: str | None) -> str | None:
    """`written` as an ISO date where it holds one, "18-Mar-2013" too; otherwise as it is."""
    if not written:
        return None
    iso = _ISO_DATE.search(written)
    if iso:
        return iso[0]
    match = _DATE.search(written)
    if not match or match[2].lower() not in _MONTHS:
        return written
    return f"{match[3]}-{_MONTHS.index(match[2].lower()) + 1:02}-{int(match[1]):02}"
