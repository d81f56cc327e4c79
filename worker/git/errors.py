"""What can go wrong between a remote repository and its mirror.

PermanentError
├── Refused                 a name, ref, commit or URL that must not reach git
├── RepositoryUnavailable   not found, or no access: hosts do not tell the two apart
└── MirrorTooLarge          the repository is over the size limit
TransientError
├── CommitNotFound          the remote does not have the commit, or not yet
├── FetchTimedOut           over the time limit; every process of the fetch was ended
├── NetworkTrouble          the remote or the way to it failed
├── MirrorBroken            the mirror cannot be read or updated; the next fetch builds it anew
└── GitFailed               git could not run here
"""

from worker.errors import PermanentError, TransientError


class Refused(PermanentError):
    """The input is unsafe or malformed. Nothing was run."""

    code = "git_refused"


class RepositoryUnavailable(PermanentError):
    """Another attempt with the same address and credential would get the same answer."""

    code = "repository_unavailable"


class MirrorTooLarge(PermanentError):
    """The fetch was stopped at the size limit."""

    code = "repository_too_large"


class CommitNotFound(TransientError):
    """Transient, because a host's replicas may lag a push by seconds."""

    code = "commit_not_found"


class FetchTimedOut(TransientError):
    """Also raised when another process held the mirror for too long."""

    code = "fetch_timed_out"


class NetworkTrouble(TransientError):
    """Name resolution, connection, TLS, or a 429 or 5xx answer."""

    code = "network_trouble"


class MirrorBroken(TransientError):
    """Objects are missing or corrupt on this disk, or git failed and nothing else explains it."""

    code = "mirror_broken"


class GitFailed(TransientError):
    """Disk full, permissions, no git installed, or git was killed."""

    code = "git_failed"
