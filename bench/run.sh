#!/bin/sh
# Prints the table of goals, the product beside its peers; `--impaired` first: that of bad networks. See bench/README.md; options: --help.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
node=$root/node_modules/node-linux-$arch/bin/node
[ -x "$node" ] || { echo "bench: $node is missing: run npm install" >&2; exit 1; }
table=main.ts
if [ "${1:-}" = --impaired ]; then
  table=impaired.ts
  shift
fi
exec "$node" "$here/$table" "$@"
