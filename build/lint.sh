#!/bin/sh
# Style, types and the purity of the worker's folders. Warnings of the C compiler are errors of the build.
set -eu
cd "$(dirname "$0")/.."
node_modules/.bin/biome check --error-on-warnings .
node_modules/.bin/tsc -p tsconfig.json
node_modules/.bin/tsc -p tsconfig.pure.json
