"""What Switchyard itself runs: its queues, its handlers, and what they need."""

from worker.artifacts.store import ArtifactStore
from worker.database.pool import Pool
from worker.git import Mirrors
from worker.handlers import REGISTRY
from worker.handlers.context import Credentials, Resources
from worker.jobs.housekeeping import Housekeeping
from worker.jobs.queues import QUEUES
from worker.jobs.timetable import BUILT_IN
from worker.settings import Settings

__all__ = ["BUILT_IN", "QUEUES", "REGISTRY", "open_resources"]


def open_resources(settings: Settings, pool: Pool) -> Resources:
    """What the product's own handlers need."""
    token = settings.github_token
    return Resources(
        mirrors=Mirrors(settings.git_cache_dir, protocols=settings.git_protocols),
        artifacts=ArtifactStore(pool),
        credentials=Credentials(token.get_secret_value() if token else None),
        housekeeping=Housekeeping(pool),
    )
