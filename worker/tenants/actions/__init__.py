"""Automatic actions: taken once a job, undone when their time is over or somebody asks for it."""

from worker.tenants.actions.reverting import restore_due
from worker.tenants.actions.service import AutomaticActions

__all__ = ["AutomaticActions", "restore_due"]
