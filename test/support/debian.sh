#!/bin/sh
# Sourced by a build.sh, with `name` (the suite's) and `cache` (its folder): makes $cache/tree, a Debian 13 with a user tester, who has id 1000.
# Needs root and a mirror of Debian. The tree is only read afterwards: test/podman/hold.sh makes a machine of it.
here=$(cd "$(dirname "$0")" && pwd)
tree=$cache/tree

fail() {
  echo "test/$name: $*" >&2
  exit 1
}

# Whether the tree was made by these very scripts. By content: a checkout changes the time of a file.
is_made() {
  cat "$here/build.sh" "$here/../support/debian.sh" | cmp -s - "$cache/made"
}

# A mirror may be slow to answer once.
step() {
  "$@" < /dev/null >> "$cache/build.log" 2>&1 || "$@" < /dev/null >> "$cache/build.log" 2>&1 ||
    fail "the tree can't be made: $(tail -n 3 "$cache/build.log" | tr '\n' ' ')(all of it in $cache/build.log)"
}

inside() {
  step chroot "$tree" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y "$@"
}

# The bare system, in place of an earlier one. Sets `mirror`.
begin_tree() {
  [ "$(id -u)" = 0 ] || fail 'only root can make the tree of a Debian: run this as root'
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ')
  [ -n "$mirror" ] || fail "this machine's apt sources name no mirror of Debian"
  [ -e /usr/share/debootstrap/scripts/trixie ] || fail 'debootstrap is missing: apt-get install debootstrap'
  rm -rf "$tree" "$cache/made"
  echo "test/$name: making $tree from $mirror" >&2
  : > "$cache/build.log"
  step debootstrap --variant=minbase trixie "$tree" "$mirror"
  # The tree has no init whose services a package could start.
  printf '#!/bin/sh\nexit 101\n' > "$tree/usr/sbin/policy-rc.d"
  chmod 755 "$tree/usr/sbin/policy-rc.d"
}

# Its names, its user and the places where hold.sh mounts.
end_tree() {
  rm -rf "$tree"/var/cache/apt/archives/*.deb
  printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' > "$tree/etc/hosts"
  chroot "$tree" useradd --create-home --uid 1000 --shell /bin/bash tester
  mkdir -p "$tree/opt/under-test" "$tree/opt/peer" "$tree/.old"
}

# It is all there: the next run finds it.
keep_tree() {
  cat "$here/build.sh" "$here/../support/debian.sh" > "$cache/made"
}
