#!/bin/sh
# inside.sh COMMAND…: runs a command of this tree where tests and benchmarks of namespaces can work.
#
# They make namespaces, for which they must be root, and run the product as nobody, who must be able to read this folder. All runs in a
# mount namespace, so that names of namespaces stay inside and root is an account that the tests' sshd lets in; a folder that nobody can't
# reach (/root), or that a virtual machine would not see, is mounted elsewhere. An ordinary user with subordinate ids (/etc/subuid) becomes
# root of a user namespace; one without stays as he is.
set -eu
cd "$(dirname "$0")/.."

reachable() { setpriv --reuid=65534 --regid=65534 --clear-groups test -r "$PWD/bin/pasta" -a -x "$PWD/bin/pasta" 2> /dev/null; }

if [ "${1:-}" != --entered ]; then
  if [ "$(id -u)" = 0 ]; then spaces=--mount; else spaces='--user --map-root-user --map-auto --net --mount'; fi
  if unshare $spaces true 2> /dev/null; then exec unshare $spaces sh build/inside.sh --entered "$@"; fi
  exec "$@"
fi

shift
if [ -w /run ]; then
  mkdir -p /run/netns
  mount -t tmpfs tmpfs /run/netns
else
  mount -t tmpfs -o mode=0755 tmpfs /run
  mkdir /run/netns
  ip link set lo up
fi
(umask 077 && echo 'root:*:1::::::' > /run/netns/shadow)
mount --bind /run/netns/shadow /etc/shadow
rm /run/netns/shadow
# The machines of test/vm see this tree too, with /run, /tmp and /mnt of their own.
case $PWD in /run/* | /tmp/* | /mnt/*) hidden=true ;; *) hidden=false ;; esac
if $hidden || ! reachable; then
  mount --bind . /srv
  cd /srv
fi
exec "$@"
