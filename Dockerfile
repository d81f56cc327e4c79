# One image for everything: the worker by default, `python -m webhooks` for the web service,
# `switchyard migrate` before either.
FROM python:3.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY locks/build.txt locks/runtime.txt ./locks/
RUN pip install --require-hashes --only-binary :all: -r locks/build.txt \
    && python -m venv --without-pip /app \
    && pip --python /app/bin/python install --require-hashes --only-binary :all: -r locks/runtime.txt
COPY pyproject.toml ./
COPY worker ./worker
COPY webhooks ./webhooks
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /app/bin/python install --no-deps --no-index dist/*.whl

FROM python:3.12-slim-bookworm
# git and the sandbox come from the image's own Debian release; pinned versions would vanish with their next fix.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap ca-certificates git tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 switchyard \
    && useradd --system --uid 10001 --gid switchyard --no-create-home switchyard \
    && install -d -o switchyard -g switchyard /var/cache/switchyard
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 GIT_CACHE_DIR=/var/cache/switchyard
USER 10001:10001
EXPOSE 8000 8080
STOPSIGNAL SIGTERM
# The worker's port; the web service, which answers on PORT, states its own.
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ.get('HEALTH_CHECK_PORT', '8080')}/livez\", timeout=2)"]
# git leaves grandchildren behind when it is killed at a time limit: somebody has to reap them.
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["arq", "worker.WorkerSettings"]
