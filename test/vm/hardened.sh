# The functional suite of a machine whose kernel enforces a policy on the product: every room and every kind of traffic once.
#
#   hardened.sh          all cases, one line for each: "ok NAME", or "failed NAME" with the last of what was said
#   hardened.sh WORD…    one of the functions below
#
# ROOT is the project, or a copy of it, PLUG is bench/plug.c, and the words of AS_USER make an ordinary user run what follows them.
CASES='of_user of_root exit_code strict no_new_privs forwards background slirp machine netns_name netns_path'
NO_PORTS='-t none -u none -T none -U none'
# Seconds for a case: the machine is an emulated one, and other work may be beside it.
LIMIT=60

# eventually COMMAND…: until it succeeds.
eventually() { until "$@" > /dev/null 2>&1; do sleep 0.1; done; }
# has_gone FILE: waits for the end of the process whose number is there.
has_gone() { eventually sh -c "! test -e /proc/$(cat "$1")"; }
# echoes PLACE PROTOCOL ADDRESS PORT: what is said there comes back. PLACE is 'far', or 'here'.
echoes() {
  if [ "$1" = far ]; then place='ip netns exec far'; else place=; fi
  # head reads blocks: a datagram is had in one piece, or not at all.
  $place bash -c 'exec 3<> "/dev/$0/$1/$2" && echo "to $2" >&3 && test "$(timeout 20 head -n 1 <&3)" = "to $2"' "$2" "$3" "$4"
}

services() {
  for address in 198.51.100.1 2001:db8:1::1; do
    case $address in *:*) bound="[$address]" version=6 ;; *) bound=$address version=4 ;; esac
    ip netns exec far socat "TCP$version-LISTEN:7000,bind=$bound,fork,reuseaddr" EXEC:cat &
    ip netns exec far socat "UDP$version-LISTEN:7001,bind=$bound,fork" EXEC:cat &
  done
  ip netns exec far dnsmasq -x "" -C /dev/null -h -R -z -a 198.51.100.1 -u root --address=/name.example/192.0.2.77
}

# What a guest does.
connection() { echoes here tcp 198.51.100.1 7000; }
traffic() {
  connection &&
    echoes here tcp 2001:db8:1::1 7000 &&
    echoes here udp 198.51.100.1 7001 &&
    echoes here udp 2001:db8:1::1 7001 &&
    ping -4 -n -q -c 1 -W 10 198.51.100.1 &&
    ping -6 -n -q -c 1 -W 10 2001:db8:1::1 &&
    busybox nslookup name.example 192.0.2.53 | grep 192.0.2.77
}
# What it offers, until its standard input ends.
offer() {
  socat TCP6-LISTEN:8080,fork,reuseaddr EXEC:cat &
  tcp=$!
  socat UDP6-LISTEN:8081,fork EXEC:cat &
  read -r _
  kill $tcp $!
}

of_user() {
  $AS_USER "$ROOT/bin/pasta" $NO_PORTS --config-net --dns-forward 192.0.2.53 --dns-host 198.51.100.1 -- sh ./hardened.sh traffic
}
# Goes on as nobody.
of_root() { "$ROOT/bin/pasta" $NO_PORTS --config-net -- sh ./hardened.sh connection; }
exit_code() {
  $AS_USER "$ROOT/bin/pasta" $NO_PORTS -- sh -c 'exit 7'
  test $? = 7
}
strict() { $AS_USER "$ROOT/bin/pasta" $NO_PORTS --isolation strict --config-net -- sh ./hardened.sh connection; }
# As a unit starts it.
no_new_privs() {
  printf '%s\n' 'mode = "passt"' 'socket = "/tmp/user/service"' 'tcp-ports = "none"' 'udp-ports = "none"' > /tmp/user/network.toml
  $AS_USER setpriv --no-new-privs "$ROOT/bin/ravioli" run /tmp/user/network.toml > /tmp/service 2>&1 &
  eventually grep -q 'socket bound at' /tmp/service
  kill $!
  wait $!
}

# From loopback it is spliced, from the far machine it goes by frames.
forwards() {
  mkfifo /tmp/hold
  $AS_USER "$ROOT/bin/pasta" -t 8080 -u 8081 -T none -U none --config-net -- sh ./hardened.sh offer < /tmp/hold &
  exec 9> /tmp/hold
  eventually echoes here tcp 127.0.0.1 8080 &&
    echoes far tcp 192.0.2.2 8080 &&
    echoes far tcp 2001:db8::2 8080 &&
    echoes here udp 127.0.0.1 8081 &&
    echoes far udp 2001:db8::2 8081
  result=$?
  exec 9>&-
  wait $!
  return $result
}

# The namespace of a process, from the background, with the files that callers ask for; what is forwarded changes meanwhile.
background() {
  $AS_USER unshare -r -n sleep 1000 &
  guest=$!
  eventually grep -qx sleep /proc/$guest/comm
  $AS_USER "$ROOT/bin/pasta" $NO_PORTS --config-net -P /tmp/user/pid -l /tmp/user/log -c /tmp/user/control $guest &&
    test -s /tmp/user/pid && test -e /tmp/user/log &&
    $AS_USER nsenter -t $guest -U -n --preserve-credentials sh ./hardened.sh connection &&
    $AS_USER "$ROOT/bin/ravioli" forward add --path /tmp/user/control -t 8090 &&
    $AS_USER "$ROOT/bin/ravioli" forward list --path /tmp/user/control | grep 8090
  result=$?
  kill $guest
  has_gone /tmp/user/pid
  return $result
}

# For callers of slirp4netns: ready by a descriptor, a port by its socket.
slirp() {
  $AS_USER unshare -r -n sleep 1000 &
  guest=$!
  eventually grep -qx sleep /proc/$guest/comm
  $AS_USER sh -c 'exec "$0" "$@" 3> /tmp/user/ready' "$ROOT/bin/slirp4netns" -c -r 3 -a /tmp/user/slirp $guest tap0 &
  slirp=$!
  eventually grep -q 1 /tmp/user/ready &&
    $AS_USER nsenter -t $guest -U -n --preserve-credentials sh ./hardened.sh connection &&
    echo '{"execute": "add_hostfwd", "arguments": {"proto": "tcp", "host_port": 8092, "guest_port": 80}}' |
    $AS_USER socat -t 10 - UNIX-CONNECT:/tmp/user/slirp | grep '"id"'
  result=$?
  kill $slirp $guest
  wait $slirp
  return $result
}

of_namespace() {
  ip netns add named
  "$ROOT/bin/pasta" --runas 0 $NO_PORTS --config-net -P /run/pasta.pid --netns "$1" && ip netns exec named sh ./hardened.sh connection
  result=$?
  ip netns del named
  has_gone /run/pasta.pid
  return $result
}
netns_name() { of_namespace named; }
netns_path() { of_namespace /run/netns/named; }

# The machine's end of the socket is a namespace with a tap.
machine() {
  $AS_USER "$ROOT/bin/passt" -t 8091 -u none -s /tmp/user/machine -P /tmp/user/passt.pid || return 1
  ip netns add machine
  "$PLUG" machine eth0 /tmp/user/machine > /tmp/plugged &
  eventually grep -q connected /tmp/plugged
  ip -n machine link set eth0 mtu 1500 up && ip -n machine addr add 192.0.2.2/24 dev eth0 &&
    ip -n machine route add default via 192.0.2.1 && ip netns exec machine sh ./hardened.sh connection
  result=$?
  kill $! "$(cat /tmp/user/passt.pid)"
  ip netns del machine
  has_gone /tmp/user/passt.pid
  return $result
}

suite() {
  $AS_USER mkdir -p /tmp/user
  services
  for case in $CASES; do
    if timeout -k 1 $LIMIT sh ./hardened.sh "$case" > "/tmp/said.$case" 2>&1; then echo "ok $case"; else
      echo "failed $case"
      tail -n 15 "/tmp/said.$case" | sed 's/^/  /'
    fi
  done
}

if [ $# = 0 ]; then suite; else "$@"; fi
