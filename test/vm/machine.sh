#!/bin/sh
# Second half of the start of a machine whose network is passt's: nothing of its interface is set up. Runs the script; its output goes to
# the console, its status to the shared folder.
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C HOME=/tmp TMPDIR=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for folder in /dev/shm /tmp /run; do mount -t tmpfs -o mode=1777 tmpfs $folder; done
ln -s /proc/self/fd /dev/fd
# Clients write to resolv.conf, and keep their leases.
mkdir -p /run/etc/upper /run/etc/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work overlay /etc
mount -t tmpfs tmpfs /var/lib
ip link set lo up
cp -r /mnt/files /tmp/files
cd /tmp/files
sh ./script
echo $? >/mnt/code
sync
busybox poweroff -f
