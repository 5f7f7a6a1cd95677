#!/bin/sh
# lock.sh BIN: renews requirements/*.lock, every version with the hashes of all its files, for every platform and Python from 3.11 on.
set -e
bin=$1
"$bin/python" -m pip install -q uv
compile() { "$bin/uv" pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url "$@"; }
compile pyproject.toml --extra speed --extra websockets --group dev requirements/build.in -o requirements/dev.lock
compile requirements/peers.in -o requirements/peers.lock
compile requirements/lab.in -o requirements/lab.lock
