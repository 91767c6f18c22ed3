#!/bin/sh
# Makes /opt/image.tar of the tree of build.sh, what containers are made of: busybox, and socat with its libraries, since busybox sends
# no empty datagram. Silent when it is there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$here/../../.cache/podman/tree
made=$tree/opt/image.tar
if cmp -s "$here/image.sh" "$made.sh"; then exit 0; fi

image=$(mktemp -d)
trap 'rm -rf "$image"' EXIT
chmod 755 "$image"
for folder in bin etc tmp proc sys dev root run; do mkdir "$image/$folder"; done
chmod 1777 "$image/tmp"
cp "$tree/usr/bin/busybox" "$image/bin/busybox"
for applet in $("$image/bin/busybox" --list); do ln -s busybox "$image/bin/$applet" 2> /dev/null || [ "$applet" = busybox ]; done
echo 'root:x:0:0:root:/root:/bin/sh' > "$image/etc/passwd"
echo 'root:x:0:' > "$image/etc/group"
cp "$(readlink -f "$tree/usr/bin/socat")" "$image/bin/socat"
for library in $(chroot "$tree" ldd /usr/bin/socat | grep -o '/[^ ]*'); do
  mkdir -p "$image${library%/*}"
  cp -L "$tree$library" "$image$library"
done
tar -C "$image" -cf "$made" .
cp "$here/image.sh" "$made.sh"
