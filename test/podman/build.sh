#!/bin/sh
# Makes .cache/podman/tree, a Debian 13 with podman, buildah and rootlesskit.
# Needs root and a mirror of Debian; some minutes the first time, then silent. The tree is only read afterwards: see hold.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=$here/../../.cache/podman
# By content: a checkout changes the time of a file.
if cmp -s "$here/build.sh" "$cache/made"; then exit 0; fi

fail() {
  echo "test/podman: $*" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || fail 'only root can make the tree of a Debian: run this as root'
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ')
[ -n "$mirror" ] || fail "this machine's apt sources name no mirror of Debian"
script=/usr/share/debootstrap/scripts/trixie
[ -e "$script" ] || fail 'debootstrap is missing: apt-get install debootstrap'

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
rm -rf "$cache/tree" "$cache/made"
tree=$cache/tree
echo "test/podman: making $tree from $mirror" >&2
said=$cache/build.log
: > "$said"

# A mirror may be slow to answer once.
step() {
  "$@" < /dev/null >> "$said" 2>&1 || "$@" < /dev/null >> "$said" 2>&1 ||
    fail "the tree can't be made: $(tail -n 3 "$said" | tr '\n' ' ')(all of it in $said)"
}

step debootstrap --variant=minbase trixie "$tree" "$mirror"
# The tree has no init whose services a package could start.
printf '#!/bin/sh\nexit 101\n' > "$tree/usr/sbin/policy-rc.d"
chmod 755 "$tree/usr/sbin/policy-rc.d"
step chroot "$tree" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
  podman buildah rootlesskit passt slirp4netns crun uidmap netavark aardvark-dns nftables catatonit \
  iproute2 socat busybox-static ca-certificates curl procps

rm -rf "$tree"/var/cache/apt/archives/*.deb
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' > "$tree/etc/hosts"
chroot "$tree" useradd --create-home --uid 1000 --shell /bin/bash tester
grep -q '^tester:' "$tree/etc/subuid" || fail 'useradd gave no subordinate ids'
mkdir -p "$tree/opt/under-test" "$tree/opt/peer" "$tree/.old"

cp "$here/build.sh" "$cache/made"
