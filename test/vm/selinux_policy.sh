#!/bin/sh
# Makes .cache/vm/selinux/{policy,file_contexts}: Debian's own policy with the project's module (selinux/) and that of the tests (rig.te), as
# a kernel takes it. Nothing is installed and no SELinux is needed here. Optional parts of Debian's policy, one for each daemon, are left out.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../.cache/vm/selinux
mkdir -p "$out"
[ ! -e "$out/policy" ] || [ -n "$(find "$here/../../selinux" "$here/rig.te" "$0" -newer "$out/policy")" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
if [ ! -e "$out/base.cil" ]; then
  apt-get download -qq selinux-policy-default 2>&1 | grep -v '^W: Download is performed unsandboxed' >&2 || true
  dpkg -x selinux-policy-default_*.deb debian
  bzip2 -dc debian/usr/share/selinux/default/base.pp.bz2 > base.pp
  /usr/libexec/selinux/hll/pp base.pp base.cil
  # An account of a display manager, whose module is not here.
  grep -v '^(selinuxuser sddm ' base.cil > "$out/base.cil.new"
  cp debian/usr/share/selinux/default/unconfined.pp.bz2 "$out"
  cp -r debian/etc/selinux "$out/etc"
  mv "$out/base.cil.new" "$out/base.cil"
fi
mkdir -p store/etc store/var/lib/selinux
cp -r "$out/etc" store/etc/selinux
cp /etc/selinux/semanage.conf store/etc/selinux
cp "$here"/../../selinux/ravioli.* "$here/rig.te" .
make -s -f /usr/share/selinux/devel/Makefile AWK=awk ravioli.pp rig.pp > made 2>&1 || { cat made >&2; exit 1; }
semodule -p "$work/store" -s default -n -i "$out/base.cil" -i "$out/unconfined.pp.bz2" -i ravioli.pp -i rig.pp
cp store/etc/selinux/default/contexts/files/file_contexts "$out/file_contexts"
cp store/etc/selinux/default/policy/policy.* "$out/policy"
