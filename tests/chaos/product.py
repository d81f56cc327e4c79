"""The product's own worker, with what a scenario changes: `arq tests.chaos.product.WorkerSettings`.

It makes no schedules: what they fire would never end where their queue is not served.
"""

from typing import Any

from tests.chaos.app import prepare


def __getattr__(name: str) -> Any:
    if name != "WorkerSettings":
        raise AttributeError(name)
    prepare()
    from worker import product
    from worker.app import worker_settings

    return worker_settings(product.REGISTRY, product.QUEUES, product.open_resources)
