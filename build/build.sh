#!/bin/sh
# Builds what the launchers in bin/ need: the channel's codec, the native rooms, the compiled policies and the bundles.
# Idempotent and quick (about a second when nothing changed); `npm ci` runs it through the script `prepare`.
set -eu
cd "$(dirname "$0")/.."
. build/runtime.sh
PATH=${NODE%/*}:$PATH # the tools of node_modules/.bin run on the same runtime
mkdir -p dist

newer() { [ ! -e "$2" ] || [ -n "$(find "$1" -newer "$2" -print -quit)" ]; }

# The static codec: reflection would compile code at run time, which both runtimes refuse.
if newer shared/channel.proto shared/channel.gen.js; then
  "$NODE" node_modules/protobufjs-cli/bin/pbjs --target static-module --wrap esm --dts \
    --no-verify --no-convert --no-delimited --no-typeurl --no-service --no-create \
    --out shared/channel.gen.js shared/channel.proto
  # long.js is only named for 64-bit fields, which the channel has none of.
  sed -i '/require("long")/d' shared/channel.gen.d.ts
fi

# Before native/, which includes two of the filters as headers.
if [ -e policies/compile.ts ]; then "$NODE" policies/compile.ts; fi

# The launcher reads them without a runtime.
"$NODE" --input-type=module -e '
  const { SUPERVISOR_FLAGS, WORKER_FLAGS } = await import(process.cwd() + "/supervisor/runtime.ts");
  console.log(`supervisor_flags="${SUPERVISOR_FLAGS.join(" ")}"\nworker_flags="${WORKER_FLAGS.join(" ")}"`);' >dist/flags.sh
. dist/flags.sh

# The launcher reads the command line by the supervisor's table.
if newer supervisor/config native/out/options.h || newer build/launcher_options.ts native/out/options.h; then
  mkdir -p native/out
  "$NODE" build/launcher_options.ts >native/out/options.new
  mv native/out/options.new native/out/options.h
fi

if [ -e native/Makefile ]; then make -s -C native; fi

# node-pty's own install script would have node-gyp fetch the headers of one Node.js version; those of Node-API are in the tree.
pty=node_modules/node-pty
if newer $pty/src/unix/pty.cc $pty/build/Release/pty.node; then
  mkdir -p $pty/build/Release
  "${CXX:-c++}" -std=gnu++17 -O2 -fPIC -fvisibility=hidden -fstack-protector-strong -D_FORTIFY_SOURCE=2 -DNAPI_CPP_EXCEPTIONS -shared \
    -Wl,-z,relro,-z,now,-z,noexecstack -Inode_modules/node-api-headers/include -Inode_modules/node-addon-api \
    -o $pty/build/Release/pty.node $pty/src/unix/pty.cc -lutil
fi
# An installed copy has no node_modules but the runtime's.
if newer $pty/build/Release/pty.node native/out/pty.node; then cp $pty/build/Release/pty.node native/out/pty.node; fi

# protobufjs is bundled; what is big and rarely needed (bunyan, node-pty) is a file of its own and loaded when it is. Minified: the text stays in each
# process's memory and is read at each start (worker 0.7 MB and some 10 ms less); dist/*.map has the names.
bundle() {
  node_modules/.bin/esbuild "$@" --bundle --platform=node --target=node24 --format=cjs \
    --external:*.node --alias:long=./build/no_long.cjs --minify --log-level=warning
}

# A room's bundle is run by a stub that hands V8 its code, compiled here with the room's flags.
room() {
  bundle "$1/main.ts" "--outfile=dist/$1.js" --sourcemap=external \
    '--banner:js=(function(exports,require,module,__filename,__dirname){' '--footer:js=})'
  bundle build/stub.ts "--outfile=dist/$1.cjs"
  "$NODE" $2 build/compiled.cjs "dist/$1.js" "dist/$1.code"
}
room supervisor "$supervisor_flags"
room worker "$worker_flags"
if newer node_modules/bunyan/lib/bunyan.js dist/bunyan.cjs; then
  # What it loads where it is there, and does without otherwise.
  node_modules/.bin/esbuild node_modules/bunyan/lib/bunyan.js --bundle --platform=node --target=node24 --format=cjs --minify \
    --outfile=dist/bunyan.cjs --external:dtrace-provider --external:mv --external:moment --external:source-map-support --log-level=error
fi
bundle supervisor/commands.ts --outfile=dist/commands.cjs --sourcemap=external

# Their terms, for who gets the bundles.
for package in protobufjs bunyan node-pty smol-toml; do
  echo "== $package"
  cat node_modules/$package/LICENSE* | tr -d '\r'
done >dist/licences.txt
