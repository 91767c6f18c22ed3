#!/bin/sh
# Makes .cache/libvirt/tree, a Debian 13 with libvirt, its QEMU and in /opt/qemu the newest of the backports, and .cache/libvirt/initramfs, what its machines boot.
# Needs root and a mirror of Debian; half a minute the first time, then silent. The tree is only read afterwards.
set -eu
name=libvirt
cache=$(dirname "$0")/../../.cache/libvirt
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
. "$(dirname "$0")/../support/debian.sh"
sh "$here/../vm/build.sh" 6.1

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

if is_made; then exit 0; fi

begin_tree
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

end_tree
keep_tree
