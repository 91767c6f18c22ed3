#!/bin/sh
# Prints the table of goals: the product beside its peers. See bench/README.md; options: --help.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
node=$root/node_modules/node-linux-$arch/bin/node
[ -x "$node" ] || { echo "bench: $node is missing: run npm install" >&2; exit 1; }
exec "$node" "$here/main.ts" "$@"
