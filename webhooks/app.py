"""The web service: its routes, and its life from start to stop."""

from aiohttp import web

from webhooks import api
from webhooks.admission import admit
from webhooks.api.routes import SERVED
from webhooks.audit import audited
from webhooks.github import endpoint
from webhooks.middleware import add_headers, errors_as_json
from webhooks.rates import add_rate_headers, keep_rates
from webhooks.resources import RESOURCES, Resources
from webhooks.server import DIRECT
from worker.health import add_health_routes


def create_app(resources: Resources) -> web.Application:
    """All routes over these open resources."""
    # Bodies are bounded where they are read, because webhooks may be larger than API calls.
    app = web.Application(middlewares=[errors_as_json, admit, keep_rates, audited])
    app[RESOURCES] = resources
    app[DIRECT] = endpoint.Shortcut(resources)
    app.on_response_prepare.extend([add_headers, add_rate_headers])
    app.router.add_post(endpoint.PATH, endpoint.receive)
    api.add_routes(app.router)
    app[SERVED] = {(r.method, r.path): r for r in api.ROUTES}
    api.openapi.serve(app, api.DESCRIBED)
    add_health_routes(app, resources.health)
    return app
