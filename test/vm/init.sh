#!/bin/sh
# First process of the guest: mounts the machine's own root read-only, so that every program of it is there, and runs stage.sh in it.
busybox mount -t proc proc /proc
while read -r name; do busybox insmod "/lib/$name.ko"; done </lib/order
options=trans=virtio,version=9p2000.L,msize=512000
busybox mount -t 9p -o "ro,cache=loose,$options" root /new || busybox poweroff -f
busybox mount -t 9p -o "$options" share /new/mnt || busybox poweroff -f
exec busybox switch_root /new /bin/sh /mnt/stage.sh
