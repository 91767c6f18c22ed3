#!/bin/sh
# npm runs this around `npm pack`: `pack.sh pack` before, `pack.sh restore` behind. See package.ts.
set -eu
cd "$(dirname "$0")/.."
. build/runtime.sh
if [ "$1" = pack ]; then sh build/build.sh >&2; fi
exec "$NODE" --disable-warning=ExperimentalWarning build/package.ts "$1"
