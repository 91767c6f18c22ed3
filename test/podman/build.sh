#!/bin/sh
# Makes .cache/podman/tree, a Debian 13 with podman, buildah and rootlesskit.
# Needs root and a mirror of Debian; some minutes the first time, then silent.
set -eu
name=podman
cache=$(dirname "$0")/../../.cache/podman
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
. "$(dirname "$0")/../support/debian.sh"
if is_made; then exit 0; fi

begin_tree
inside install --no-install-recommends podman buildah rootlesskit passt slirp4netns crun uidmap netavark aardvark-dns nftables catatonit \
  iproute2 socat busybox-static ca-certificates curl procps
end_tree
grep -q '^tester:' "$tree/etc/subuid" || fail 'useradd gave no subordinate ids'
keep_tree
