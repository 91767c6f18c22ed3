#!/bin/sh
# npm test: installs and builds what is missing, then lint and the quick tests; `--long` the others, FILE… those. The last line counts.
set -eu
cd "$(dirname "$0")/.."

sh build/need.sh run
if [ "${1:-}" = --long ]; then wanted=long; else wanted=test; fi
sh build/need.sh $wanted || [ "$(id -u)" != 0 ]
sh build/packages.sh
sh build/build.sh
# A user namespace has no way to the mirror.
if [ $wanted = long ] && [ "$(id -u)" != 0 ]; then
  for series in 6.1 6.12; do sh test/vm/build.sh $series || true; done
  sh test/vm/selinux_policy.sh || true
fi
exec sh build/inside.sh sh -c '. build/runtime.sh; exec "$NODE" --disable-warning=ExperimentalWarning build/test.ts "$@"' sh "$@"
