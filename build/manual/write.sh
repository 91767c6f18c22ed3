#!/bin/sh
# Makes man/*.1 and completions/ anew from the tables of options.
set -eu
cd "$(dirname "$0")/../.."
. build/runtime.sh
exec "$NODE" --disable-warning=ExperimentalWarning build/manual/write.ts
