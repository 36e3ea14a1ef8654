# syntax=docker/dockerfile:1
# One image for `parley serve` and `parley worker`; the target `gpu` adds the CUDA libraries for a worker on a GPU.

FROM node:22-bookworm-slim AS web
WORKDIR /srv/parley/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web/ ./
COPY docs/ /srv/parley/docs/
RUN npm run build

FROM python:3.12-slim-bookworm AS packages
# A compiler for the media plane's hot loop; it stays in this stage.
RUN apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/parley
RUN python -m venv .venv
ENV VIRTUAL_ENV=/srv/parley/.venv UV_LINK_MODE=copy UV_NO_CACHE=1
COPY tools/requirements-uv.lock tools/requirements-build.lock tools/
RUN .venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
        -r tools/requirements-build.lock -r tools/requirements-uv.lock
COPY requirements.lock ./
RUN .venv/bin/uv pip install --compile-bytecode --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY deliberation/ deliberation/
COPY facilitator/ facilitator/
COPY server/ server/
COPY simulation/ simulation/
COPY transcription/ transcription/
RUN .venv/bin/uv pip install --no-deps --no-build-isolation -e . && python -m compileall -q deliberation facilitator server simulation transcription

FROM packages AS gpu-packages
COPY requirements-gpu.lock ./
RUN .venv/bin/uv pip install --require-hashes -r requirements-gpu.lock

FROM python:3.12-slim-bookworm AS base
RUN useradd --system --uid 10001 --home-dir /srv/parley --shell /usr/sbin/nologin parley \
    && install -d -o parley -g parley /srv/parley/data
WORKDIR /srv/parley
ENV PATH=/srv/parley/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENV PARLEY_HOST=0.0.0.0 PARLEY_PORT=8080 PARLEY_DATA_DIR=/srv/parley/data
VOLUME /srv/parley/data
USER parley
ENTRYPOINT ["parley"]
CMD ["serve"]

FROM base AS gpu
COPY --from=gpu-packages /srv/parley /srv/parley
ENV LD_LIBRARY_PATH=/srv/parley/.venv/lib/python3.12/site-packages/nvidia/cublas/lib:/srv/parley/.venv/lib/python3.12/site-packages/nvidia/cudnn/lib
CMD ["worker"]

FROM base AS server
COPY --from=packages /srv/parley /srv/parley
COPY --from=web /srv/parley/web/dist web/dist
COPY examples/ examples/
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
