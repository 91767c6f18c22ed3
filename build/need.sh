#!/bin/sh
# Installs what this machine lacks: `need.sh run` for building and running, `need.sh test` for the quick tests, `need.sh long` for the rest.
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

# Each set contains the one before. Peers of the benchmark that no package has are left to who compares with them.
need_to_test() {
  need_to_run
  need git git
  need unshare util-linux
  need ps procps
  need ping iputils-ping
  need curl curl
  need openssl openssl
  need nginx nginx-light
  need ssh openssh-client
  need /usr/sbin/sshd openssh-server
  need dig bind9-dnsutils
  need dnsmasq dnsmasq-base
  need nc netcat-openbsd
  need systemd-socket-activate systemd
  need iperf3 iperf3
  need strace strace
  need nm binutils
  need perl perl-base
  need traceroute traceroute
  need tracepath iputils-tracepath
  need mtr mtr-tiny
  need tshark tshark
  need busybox busybox-static
  need dhclient isc-dhcp-client
  need dhcpcd dhcpcd-base
  need rdisc6 ndisc6
  need mandoc mandoc
  need groff groff-base
  need zsh zsh
  need fish fish
  if [ "$(uname -m)" = x86_64 ]; then
    need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
    need /usr/aarch64-linux-gnu/include/stdio.h libc6-dev-arm64-cross
  fi
}

need_for_long() {
  need_to_test
  need "qemu-system-$(uname -m)" "$(case $(uname -m) in aarch64) echo qemu-system-arm ;; *) echo qemu-system-x86 ;; esac)"
  need xz xz-utils
  need bzip2 bzip2
  need apparmor_parser apparmor
  need checkmodule checkpolicy
  need semodule_package semodule-utils
  need semodule policycoreutils
  need /usr/share/selinux/devel/Makefile selinux-policy-dev
  need socat socat
  need slirp4netns slirp4netns
  need /usr/lib/postgresql postgresql
  need /usr/bin/psql postgresql-client
  need rsync rsync
  need fcgiwrap fcgiwrap
  need h2load nghttp2-client
  need docker-registry docker-registry
  need dnsperf dnsperf
  need kdig knot-dnsutils
  need unbound unbound
  need gtlsclient ngtcp2-client
  need gtlsserver ngtcp2-server
  need sockperf sockperf
  need gnutls-serv gnutls-bin
  need wireguard-go wireguard-go
  need wg wireguard-tools
  need ethtool ethtool
  need debootstrap debootstrap
  need skopeo skopeo
  need /usr/sbin/avahi-daemon avahi-daemon
  need /usr/lib/python3/dist-packages/zeroconf python3-zeroconf
  need gssdp-discover gupnp-tools
  need /usr/sbin/minissdpd minissdpd
  need upnpc miniupnpc
  need wsdd wsdd
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

# The machines of test/vm boot kernels that apt knows.
refresh_lists() {
  if [ "$(id -u)" = 0 ] && [ -z "$(apt-cache search --names-only '^linux-image-6\.1[.-]' 2> /dev/null)" ]; then
    apt-get update -qq < /dev/null >&2 || true
  fi
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
  test) need_to_test ;;
  long)
    need_for_long
    refresh_lists
    ;;
  *) echo "usage: need.sh run|test|long" >&2; exit 2 ;;
esac
install
open_tun
