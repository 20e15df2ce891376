#!/bin/sh
# Recompile locks/*.txt from pyproject.toml: every version with its hashes, no index and no download address.
# Each group is constrained by the ones before it, so that any of them can be added to one environment;
# `peers` is an environment of its own. Usage: tools/lock.sh [--upgrade]
set -eu
cd "$(dirname "$0")/.."
compile() {
    out=locks/$1.txt
    shift
    uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --annotation-style line \
        --python-version 3.11 --python-platform x86_64-manylinux_2_31 --output-file "$out" "$@"
    echo "wrote $out"
}
compile base "$@" pyproject.toml
compile uv "$@" tools/uv.in -c locks/base.txt
compile dev "$@" pyproject.toml --group dev -c locks/base.txt
compile distributed "$@" pyproject.toml --group distributed -c locks/dev.txt
compile real "$@" pyproject.toml --group real -c locks/distributed.txt
compile book "$@" pyproject.toml --group book -c locks/real.txt
compile peers "$@" --group peers
