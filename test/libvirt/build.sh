#!/bin/sh
# Makes .cache/libvirt/tree, a Debian 13 with libvirt, its QEMU and in /opt/qemu the newest of the backports, and .cache/libvirt/initramfs, what its machines boot.
# Needs root and a mirror of Debian; half a minute the first time, then silent. The tree is only read afterwards.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=$here/../../.cache/libvirt
sh "$here/../vm/build.sh" 6.1
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

# The modules of test/vm, a first process of our own and an echo.
extra=$(mktemp -d)
trap 'rm -rf "$extra"' EXIT
cp "$here/guest.sh" "$extra/guest"
chmod 755 "$extra/guest"
cc -Wall -Wextra -Werror -Os -static -s -o "$extra/echo" "$here/echo.c"
{
  cat "$here/../../.cache/vm/6.1/initramfs"
  (cd "$extra" && find . | busybox cpio -o -H newc 2> /dev/null)
} > "$cache/initramfs.new"
mv "$cache/initramfs.new" "$cache/initramfs"

# By content: a checkout changes the time of a file.
if cmp -s "$here/build.sh" "$cache/made"; then exit 0; fi

fail() {
  echo "test/libvirt: $*" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || fail 'only root can make the tree of a Debian: run this as root'
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ')
[ -n "$mirror" ] || fail "this machine's apt sources name no mirror of Debian"
[ -e /usr/share/debootstrap/scripts/trixie ] || fail 'debootstrap is missing: apt-get install debootstrap'

rm -rf "$cache/tree" "$cache/made"
tree=$cache/tree
said=$cache/build.log
echo "test/libvirt: making $tree from $mirror" >&2
: > "$said"

# A mirror may be slow to answer once.
step() {
  "$@" < /dev/null >> "$said" 2>&1 || "$@" < /dev/null >> "$said" 2>&1 ||
    fail "the tree can't be made: $(tail -n 3 "$said" | tr '\n' ' ')(all of it in $said)"
}

inside() {
  step chroot "$tree" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y "$@"
}

step debootstrap --variant=minbase trixie "$tree" "$mirror"
# The tree has no init whose services a package could start.
printf '#!/bin/sh\nexit 101\n' > "$tree/usr/sbin/policy-rc.d"
chmod 755 "$tree/usr/sbin/policy-rc.d"
echo "deb $mirror trixie-backports main" > "$tree/etc/apt/sources.list.d/backports.list"
cp /etc/resolv.conf "$tree/etc/resolv.conf"
inside update
inside install --no-install-recommends qemu-system-x86 libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients catatonit iproute2 procps
# libvirt 11.3 knows no way to have this one connect again, so it does not take the place of the other.
mkdir -p "$tree/opt/qemu"
step chroot "$tree" sh -ec 'cd /opt/qemu
rm -f *.deb
apt-get download -qq -t trixie-backports qemu-system-x86 qemu-system-common qemu-system-data
for package in *.deb; do dpkg -x $package .; done
rm *.deb'

rm -rf "$tree"/var/cache/apt/archives/*.deb
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' > "$tree/etc/hosts"
chroot "$tree" useradd --create-home --uid 1000 --shell /bin/bash tester
mkdir -p "$tree/opt/under-test" "$tree/opt/peer" "$tree/.old"
cp "$here/build.sh" "$cache/made"
