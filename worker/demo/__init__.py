"""`switchyard demo`: a push to a sample repository, followed from the webhook to the artifacts."""

from worker.demo.story import run

__all__ = ["run"]
