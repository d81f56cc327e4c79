"""Every error that crosses a module boundary.

SwitchyardError
├── ConfigurationError      the process cannot start: exit code 2
├── InvalidInput            400: the request or payload is wrong
├── Unauthorized            401: no, or no valid, proof of identity
├── Forbidden               403: understood, and not allowed here
├── NotFound                404: no such thing
├── Conflict                409: the thing is not in a state that allows this
├── TooLarge                413: over a stated limit
├── UnsupportedMedia        415: a content type that is not accepted
├── RateLimited             429: too many calls; `retry_after` seconds until the next
├── LimitUnavailable        503: Redis cannot be reached, and without it no limit can be kept
├── RecordUnavailable       503: Postgres cannot be reached; nothing was accepted
│   └── NotAudited          503: it was done, and could not be written to the audit log
├── Overloaded              503: too much in flight; try again shortly
├── TransientError          a job failed in a way that another attempt may mend
└── PermanentError          a job failed for good: straight to the dead letters
"""

from collections.abc import Mapping, Sequence


class SwitchyardError(Exception):
    """The root. `code` is the stable, machine-readable name shown in HTTP errors."""

    code = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigurationError(SwitchyardError):
    """Settings or surroundings are unusable; `problems` has one line for each fault."""

    code = "configuration"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


class InvalidInput(SwitchyardError):
    """`fields` maps a dotted field name to what is wrong with it."""

    code = "invalid_input"

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})


class Unauthorized(SwitchyardError):
    """The signature or token is missing or wrong."""

    code = "unauthorized"


class Forbidden(SwitchyardError):
    """The call is switched off here."""

    code = "forbidden"


class NotFound(SwitchyardError):
    """Nothing has that id."""

    code = "not_found"


class Conflict(SwitchyardError):
    """The state of the thing does not allow this."""

    code = "conflict"


class TooLarge(SwitchyardError):
    """Over a stated limit."""

    code = "too_large"


class UnsupportedMedia(SwitchyardError):
    """A content type that is not accepted."""

    code = "unsupported_media_type"


class RateLimited(SwitchyardError):
    """Too many calls. `retry_after` is in seconds."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LimitUnavailable(SwitchyardError):
    """Redis cannot be reached, so nobody knows how often this was done already."""

    code = "limit_unavailable"


class RecordUnavailable(SwitchyardError):
    """Postgres cannot be reached, so nothing can be promised."""

    code = "record_unavailable"


class NotAudited(RecordUnavailable):
    """Something was done, but the audit log could not be told of it."""

    code = "not_audited"


class Overloaded(SwitchyardError):
    """Too much work in flight at once."""

    code = "overloaded"


class TransientError(SwitchyardError):
    """Another attempt may succeed."""

    code = "transient"


class PermanentError(SwitchyardError):
    """No further attempt can succeed."""

    code = "permanent"
