#!/bin/sh
# Second half of the guest's start: what a machine needs, two namespaces as in test/support/topology.ts (the first one is `host`), then the
# script. Its output and status go to the shared folder.
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C HOME=/tmp TMPDIR=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for folder in /dev/shm /tmp /run; do mount -t tmpfs -o mode=1777 tmpfs $folder; done
ln -s /proc/self/fd /dev/fd
chmod 666 /dev/net/tun
for setting in 'ipv4/ping_group_range 0 2147483647' 'ipv4/ip_local_port_range 1024 65535'; do
  echo "${setting#* }" >"/proc/sys/net/${setting%% *}"
done

ip link set lo up
ip netns add far
ip link add eth0 type veth peer name eth0 netns far
ip addr add 192.0.2.2/24 dev eth0
ip addr add 2001:db8::2/64 dev eth0 nodad
ip link set eth0 up
ip -n far link set lo up
ip -n far addr add 192.0.2.1/24 dev eth0
ip -n far addr add 2001:db8::1/64 dev eth0 nodad
ip -n far addr add 198.51.100.1/32 dev lo
ip -n far addr add 2001:db8:1::1/128 dev lo nodad
ip -n far link set eth0 up
ip route add default via 192.0.2.1
ip -6 route add default via 2001:db8::1

cp -r /mnt/files /tmp/files
read -r user </mnt/user
chown -R "$user" /tmp/files
cd /tmp/files
[ -e root.sh ] && sh ./root.sh >/mnt/root.log 2>&1
cut -d' ' -f1 /proc/uptime >/mnt/booted
setpriv --reuid="$user" --regid="$user" --clear-groups sh ./script >/tmp/output 2>&1 </dev/null
echo $? >/tmp/code
cp /tmp/output /mnt/output
cp /tmp/code /mnt/code
sync
busybox poweroff -f
