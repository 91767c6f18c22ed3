#!/bin/sh
# Makes .cache/vm/SERIES/{kernel,initramfs} of the newest Debian kernel of a series (default 6.1): what runGuest boots.
# The package is only unpacked, nothing is installed. The initramfs holds busybox and the modules that mount the machine's own root.
set -eu
series=${1:-6.1}
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../.cache/vm/$series
[ ! -e "$out/initramfs" ] || [ "$here/init.sh" -nt "$out/initramfs" ] || [ "$here/build.sh" -nt "$out/initramfs" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
package=$(apt-cache search --names-only "^linux-image-$series(\.[0-9]+)*[-+0-9a-z]*-amd64$" | cut -d' ' -f1 |
  grep -vE 'cloud|rt-|unsigned|template|dbg' | grep -E "^linux-image-$series\.[0-9]" | sort -V | tail -n 1)
[ -n "$package" ] || { echo "test/vm: this machine's apt sources have no kernel $series: run apt-get update" >&2; exit 1; }
apt-get download -qq "$package" 2>&1 | grep -v '^W: Download is performed unsandboxed' >&2 || true
dpkg -x "$package"_*.deb kernel
modules=$(echo kernel/lib/modules/*)
[ -d "$modules" ] || modules=$(echo kernel/usr/lib/modules/*)

mkdir -p root/bin root/lib root/new root/proc
cp /bin/busybox root/bin/busybox
ldd root/bin/busybox >/dev/null 2>&1 && { echo 'test/vm: /bin/busybox is not static: apt-get install busybox-static' >&2; exit 1; }
ln -s busybox root/bin/sh
cp "$here/init.sh" root/init
chmod 755 root/init
# In the order of their dependencies; what is built into a kernel has no file.
for name in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci netfs fscache 9pnet 9pnet_virtio 9p tun veth failover net_failover virtio_net af_packet overlay; do
  file=$(find "$modules" -name "$name.ko*" | head -n 1)
  [ -n "$file" ] || continue
  case $file in *.xz) xz -dc "$file" ;; *) cat "$file" ;; esac >"root/lib/$name.ko"
  echo "$name" >>root/lib/order
done
# A kernel that has to unpack itself keeps an emulated processor busy for ten seconds: QEMU takes it unpacked as well (PVH).
packed=$(echo kernel/boot/vmlinuz-*)
for place in $(LC_ALL=C grep -aboP '\xfd7zXZ\x00' "$packed" | cut -d: -f1); do
  tail -c "+$((place + 1))" "$packed" | xz -dc --single-stream >unpacked 2>/dev/null || true
  if [ "$(head -c 4 unpacked | tail -c 3)" = ELF ]; then packed=unpacked; break; fi
done
mkdir -p "$out"
cp "$packed" "$out/kernel"
(cd root && find . | busybox cpio -o -H newc 2>/dev/null) >"$out/initramfs"
echo "test/vm: $package" >&2
