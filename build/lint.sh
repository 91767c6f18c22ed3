#!/bin/sh
# Style, types and the purity of the worker's folders. Warnings of the C compiler are errors of the build.
set -eu
cd "$(dirname "$0")/.."
# The package that chooses one of these names systems that the registry does not carry, which npm ci refuses.
for biome in node_modules/@biomejs/cli-linux-*/biome; do :; done
"$biome" check --error-on-warnings --log-level=warn .
node_modules/.bin/tsc -p tsconfig.json
node_modules/.bin/tsc -p tsconfig.pure.json
