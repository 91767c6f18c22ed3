#!/bin/sh
# Installs what building and running need and this machine lacks: `need.sh run`.
# Silent when nothing is missing. As root it installs with apt-get and opens /dev/net/tun to all users, as distributions do; an ordinary
# user gets one line with the command that root has to run. Nothing but this line and apt-get's errors is written, all of it to stderr.
set -eu

packages=
# need PROGRAM-OR-FILE PACKAGE
need() {
  case $1 in
    /*) [ -e "$1" ] || packages="$packages $2" ;;
    *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" > /dev/null || packages="$packages $2" ;;
  esac
}

need_to_run() {
  need cc gcc
  need c++ g++
  need make make
  need /usr/include/stdio.h libc6-dev
  need /usr/include/linux/if_tun.h linux-libc-dev
  need python3 python3
  need ip iproute2
}

install() {
  set -- $packages
  if [ $# -eq 0 ]; then return; fi
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    echo "need: this machine lacks $*; run 'apt-get install $*' as root (Debian's names)" >&2
    exit 1
  fi
  echo "need: installing $*" >&2
  export DEBIAN_FRONTEND=noninteractive
  # The lists of a fresh container are empty, and those of an old machine name files that are gone.
  apt-get install -qq -y --no-install-recommends "$@" < /dev/null > /dev/null 2>&1 || {
    apt-get update -qq < /dev/null >&2
    apt-get install -qq -y --no-install-recommends "$@" < /dev/null > /dev/null
  }
}

# Minimal systems have no device file, or one for root alone.
open_tun() {
  if [ "$(id -u)" != 0 ]; then return; fi
  if [ ! -e /dev/net/tun ]; then
    modprobe tun 2> /dev/null || true
    mkdir -p /dev/net
    [ -e /dev/net/tun ] || mknod -m 0666 /dev/net/tun c 10 200 2> /dev/null || true
  fi
  if [ -e /dev/net/tun ] && [ "$(stat -c %a /dev/net/tun)" != 666 ]; then
    if chmod 0666 /dev/net/tun 2> /dev/null; then
      echo 'need: /dev/net/tun was closed to ordinary users; it is 0666 now, as distributions have it' >&2
    else
      echo "need: /dev/net/tun is closed to ordinary users and can't be changed here; run 'chmod 0666 /dev/net/tun' on the host" >&2
    fi
  fi
}

case ${1:-} in
  run) need_to_run ;;
  *) echo "usage: need.sh run" >&2; exit 2 ;;
esac
install
open_tun
