#!/bin/sh
# hold.sh TREE UNDER-TEST NAMESERVER: makes a machine of TREE in the mount namespace it is started in, and becomes what that needs, a first process.
# UNDER-TEST is the folder whose bin/pasta podman shall start. Start it in mount, network and IPC namespaces of its own.
#
# The tree becomes the root by pivot_root, since the kernel gives nobody a user namespace in a chroot. What is written is in memory, the
# user's home with podman's store too, so each start finds a machine that was never used.
set -eu
tree=$1
under_test=$2
nameserver=$3

mount --make-rprivate /
mount --bind "$tree" "$tree"
cd "$tree"
mount --bind "$under_test" opt/under-test
# The programs of the peer name their loader by its path.
if [ -d /opt/peer ]; then mount --bind /opt/peer opt/peer; fi
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup 2> /dev/null || true
for folder in run home var/tmp root; do mount -t tmpfs -o mode=755 tmpfs $folder; done
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm dev/net
# NAME MAJOR MINOR
while read -r name major minor; do mknod -m 0666 "dev/$name" c "$major" "$minor"; done << E
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
fuse 10 229
net/tun 10 200
E
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
chmod 1777 var/tmp
mkdir -p home/tester/.config/containers run/user/1000
echo "nameserver $nameserver" > run/resolv.conf
mount --bind run/resolv.conf etc/resolv.conf
# No cgroup is the user's without systemd.
cat > home/tester/.config/containers/containers.conf << E
[containers]
cgroups = "disabled"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
helper_binaries_dir = ["/opt/under-test/bin", "/usr/libexec/podman", "/usr/lib/podman"]
E
echo '[storage]
driver = "overlay"' > home/tester/.config/containers/storage.conf
chown -R 1000:1000 home/tester run/user/1000
chmod 0700 run/user/1000

pivot_root . .old
cd /
mount --make-rshared /
# shellcheck disable=SC2016
exec unshare --pid --fork --kill-child sh -ec 'mount -t proc proc /proc; umount -l /.old; exec catatonit -P'
