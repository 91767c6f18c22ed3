#!/bin/sh
# Installs the packages of package-lock.json where they are missing or of another lock; then silent. All that is said goes to stderr.
set -eu
cd "$(dirname "$0")/.."

fail() {
  echo "packages: $*" >&2
  exit 1
}

# The lock of what is installed is written last by npm, so it is missing after an installation that was broken off.
if [ -e node_modules/.package-lock.json ] && ! [ package-lock.json -nt node_modules/.package-lock.json ]; then exit 0; fi

# npm ci empties the folder first, through a link as well, and what it leads to is somebody else's.
if [ -L node_modules ]; then fail "node_modules is a link to $(readlink node_modules), whose packages are of another lock; remove the link"; fi

version=$(node --version) || fail 'there is no Node.js in PATH; install version 20 or newer, with npm'
major=${version#v}
[ "${major%%.*}" -ge 20 ] || fail "Node.js $version is too old to install the packages; install version 20 or newer"
# node-gyp would fetch headers that many installations bring along.
headers=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
if [ -e "$headers/include/node/node_api.h" ]; then export npm_config_nodedir="$headers"; fi
echo 'packages: installing those of package-lock.json' >&2
npm ci --loglevel=error < /dev/null >&2 || fail "'npm ci' failed; its lines above say why"
