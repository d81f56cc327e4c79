"""What can go wrong in talking to GitHub.

Limited             GitHub, or our share of what it allows, says: later
GitHubUnavailable   no answer, or one that blames GitHub itself; another attempt may succeed
GitHubRefused       GitHub says no, and will again until somebody changes something
├── LoginRefused    the token, or the App's key, is not accepted
└── NotThere        no such repository, commit or installation, or none that the login may see
"""

from worker.errors import PermanentError, TransientError


class Limited(TransientError):
    """Nothing may be sent for so many seconds."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds


class GitHubUnavailable(TransientError):
    """GitHub gave no answer, or an error of its own."""


class GitHubRefused(PermanentError):
    """GitHub understood, and refused."""


class LoginRefused(GitHubRefused):
    """GitHub does not accept the login."""


class NotThere(GitHubRefused):
    """What was asked for does not exist, as far as the login may see."""
