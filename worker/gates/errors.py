"""What can go wrong around a gate, apart from the checks themselves.

SwitchyardError
├── SandboxUnavailable   nothing was run, because it could not have been run safely
└── PreparationFailed    a repository's dependencies could not be installed
TransientError
├── CheckoutFailed       the commit could not be laid out on the disk
PermanentError
└── CheckoutRefused      the commit is too large, or holds names that no honest client commits
"""

from worker.errors import PermanentError, SwitchyardError, TransientError


class SandboxUnavailable(SwitchyardError):
    """The message says what is missing and how to get it."""

    code = "sandbox_unavailable"


class CheckoutFailed(TransientError):
    """Objects are missing, the disk is full, or git could not run."""

    code = "checkout_failed"


class CheckoutRefused(PermanentError):
    """Another attempt would meet the same commit."""

    code = "checkout_refused"


class PreparationFailed(SwitchyardError):
    """The dependencies could not be installed; `log` is the end of what the tool printed."""

    code = "preparation_failed"

    def __init__(self, message: str, log: bytes = b"") -> None:
        super().__init__(message)
        self.log = log
