#!/bin/sh
# What udhcpc runs, as small systems have it.
[ "$1" = bound ] || exit 0
ip link set "$interface" mtu "${mtu:-1500}"
ip address add "$ip/$mask" dev "$interface"
ip route add default via "$router"
{
  echo "search $search"
  for server in $dns; do echo "nameserver $server"; done
} >/etc/resolv.conf
