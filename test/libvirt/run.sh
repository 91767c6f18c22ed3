#!/bin/sh
# npm run acceptance:libvirt [-- FILE…]: builds what is missing, then runs the files of cases.
set -eu
cd "$(dirname "$0")/../.."

sh build/need.sh long
sh build/packages.sh
sh build/build.sh
sh test/libvirt/build.sh
[ $# -gt 0 ] || set -- test/libvirt/*_cases.ts
exec sh build/inside.sh sh -c '. build/runtime.sh; exec "$NODE" --disable-warning=ExperimentalWarning build/test.ts "$@"' sh "$@"
