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

if [ -w . ]; then
  sh build/need.sh run < /dev/null >&2
  sh build/packages.sh
  sh build/build.sh < /dev/null >&2 || fail "the build failed; its lines above say why, 'npm run build' repeats it"
elif [ ! -e dist/supervisor.cjs ] || [ ! -e native/out/jail ]; then
  fail "$PWD isn't built, and this user can't write to it; run 'npm run build' as its owner"
fi

pasta=$PWD/bin/pasta
# What is shown here is nobody's service, and the folder may be root's alone.
if [ "$(id -u)" = 0 ]; then as='--runas 0'; else as=; fi
if [ $# -gt 0 ]; then
  cd "$user_folder"
  exec "$pasta" $as --config-net -- "$@"
fi
if [ -t 0 ] && [ -t 1 ]; then
  echo "start: a shell in a network namespace of its own; 'ip address' shows its network, 'exit' leaves it" >&2
  cd "$user_folder"
  exec "$pasta" $as --config-net
fi
. build/runtime.sh
exec "$NODE" --disable-warning=ExperimentalWarning bench/demo/main.ts
