#!/bin/sh
# npm run acceptance:podman [-- [--only ravioli|pasta] [PATTERN]]: builds what is missing, then runs the cases whose titles match.
set -eu
cd "$(dirname "$0")/../.."

sh build/need.sh long
sh build/packages.sh
sh build/build.sh
sh test/podman/build.sh
sh test/podman/image.sh
exec sh build/inside.sh sh -c '. build/runtime.sh; exec "$NODE" --disable-warning=ExperimentalWarning test/podman/run.ts "$@"' sh "$@"
