#!/bin/sh
# npm start: installs and builds what is missing, then runs the product. Without words it opens a shell in a namespace with a network of
# its own, or shows the demonstration where there is no terminal; `npm start -- COMMAND ARGUMENT…` runs that command there instead.
# What is said on the way goes to stderr, and nothing but the command reads stdin, so that `npm -s start -- COMMAND` is a filter like any.
set -eu
user_folder=${INIT_CWD:-$PWD}
cd "$(dirname "$0")/.."

fail() {
  echo "start: $*" >&2
  exit 1
}

# The lock of what is installed is written last by npm, so it is missing after an installation that was broken off.
packages_are_missing() { [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; }

install_packages() {
  version=$(node --version) || fail 'there is no Node.js in PATH; install version 20 or newer, with npm'
  major=${version#v}
  [ "${major%%.*}" -ge 20 ] || fail "Node.js $version is too old to install the packages; install version 20 or newer"
  # node-gyp would fetch headers that many installations bring along.
  headers=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  if [ -e "$headers/include/node/node_api.h" ]; then export npm_config_nodedir="$headers"; fi
  echo 'start: installing the packages of package-lock.json' >&2
  npm ci --loglevel=error < /dev/null >&2 || fail "'npm ci' failed; its lines above say why"
}

if [ -w . ]; then
  sh build/need.sh run < /dev/null >&2
  if packages_are_missing; then install_packages; fi
  sh build/build.sh < /dev/null >&2 || fail "the build failed; its lines above say why, 'npm run build' repeats it"
elif [ ! -e dist/supervisor.cjs ] || [ ! -e native/out/jail ]; then
  fail "$PWD isn't built, and this user can't write to it; run 'npm run build' as its owner"
fi

pasta=$PWD/bin/pasta
if [ $# -gt 0 ]; then
  cd "$user_folder"
  exec "$pasta" --config-net -- "$@"
fi
if [ -t 0 ] && [ -t 1 ]; then
  echo "start: a shell in a network namespace of its own; 'ip address' shows its network, 'exit' leaves it" >&2
  cd "$user_folder"
  exec "$pasta" --config-net
fi
. build/runtime.sh
exec "$NODE" --disable-warning=ExperimentalWarning bench/demo/main.ts
