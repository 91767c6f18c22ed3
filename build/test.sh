#!/bin/sh
# npm test: installs and builds what is missing, then lint and the quick tests; `--long` the others, FILE… those. The last line counts.
#
# The tests make namespaces, for which they must be root, and run the product as nobody, who must be able to read this folder. An ordinary
# user with subordinate ids (/etc/subuid) becomes root of a user namespace; a folder that nobody can't reach is mounted elsewhere.
set -eu
cd "$(dirname "$0")/.."

run() {
  . build/runtime.sh
  exec "$NODE" --disable-warning=ExperimentalWarning build/test.ts "$@"
}

reachable() { setpriv --reuid=65534 --regid=65534 --clear-groups test -r "$PWD/bin/pasta" -a -x "$PWD/bin/pasta" 2> /dev/null; }

# In a mount namespace of its own.
if [ "${1:-}" = --inside ]; then
  shift
  mount -t tmpfs -o mode=0755 tmpfs /run
  mkdir /run/netns /run/ravioli
  mount --bind . /run/ravioli
  cd /run/ravioli
  run "$@"
fi

sh build/need.sh run
sh build/need.sh test || [ "$(id -u)" != 0 ]
sh build/build.sh
if [ "$(id -u)" = 0 ]; then
  if reachable; then run "$@"; fi
  exec unshare --mount sh build/test.sh --inside "$@"
fi
if unshare --user --map-root-user --map-auto --net --mount true 2> /dev/null; then
  exec unshare --user --map-root-user --map-auto --net --mount sh -c 'ip link set lo up; exec sh build/test.sh --inside "$@"' sh "$@"
fi
run "$@"
