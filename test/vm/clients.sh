# What a machine's script uses to be configured by one client after the other, as these come with Debian. Reads no arguments:
#   lease_by CLIENT: an interface without addresses, then the client, then what has become of it, between @CLIENT and @end.

NETWORKD=/run/systemd/netif/links

# Name servers and search domains, as the client has left them: in resolv.conf, or with networkd, which leaves that to resolved, in its state.
names() {
  if [ -e $NETWORKD ]; then sed -n 's/^DNS=//p; s/^DOMAINS=/search /p' $NETWORKD/*; else grep -v '^#' /etc/resolv.conf; fi
}

report() {
  echo "@$1"
  ip -o address show dev eth0 scope global | sed 's/.* inet/inet/; s/ brd.*//; s/ scope.*//'
  ip route show default | head -n 1
  ip -6 route show default | head -n 1
  echo "mtu $(cat /sys/class/net/eth0/mtu)"
  names | tr '\n' ' '
  echo
  for target in 198.51.100.1 2001:db8:1::1; do ping -c 3 -i 0.2 -W 5 $target | grep transmitted; done
  echo '@end'
}

# The MTU is one that no client is told.
clean() {
  ip link set eth0 down
  ip address flush dev eth0
  ip link set eth0 mtu 9000
  echo '# nobody has written here' >/etc/resolv.conf
}

# Until COMMAND's output has what grep looks for; a machine that never gets there is seen to be silent.
await() {
  until "$2" 2>/dev/null | grep -q "$1"; do sleep 0.3; done
}

# Who asks over IPv6 needs the kernel's address first.
link_local() { ip -o address show dev eth0 scope link -tentative; }
addresses() { ip -o address show dev eth0 scope global -tentative; }
settled_by_kernel() { await '2001:db8::5054:ff' addresses; }
settled_by_dhcpv6() { await '2001:db8::2/128' addresses; }

udhcpc_lease() {
  ip link set eth0 up
  busybox udhcpc -i eth0 -n -q -f -t 20 -T 1 -O search -O mtu -s ./udhcpc.sh
  settled_by_kernel
}

dhclient_lease() {
  ip link set eth0 up
  dhclient -1 -4 eth0
  await fe80:: link_local
  dhclient -1 -6 eth0
  settled_by_kernel
  settled_by_dhcpv6
}

dhcpcd_lease() {
  dhcpcd -q --waitip=4 --waitip=6 eth0
  settled_by_dhcpv6
}

networkd_lease() {
  printf '[Match]\nName=eth0\n[Network]\nDHCP=yes\n[DHCPv4]\nUseMTU=yes\nUseDomains=yes\n[DHCPv6]\nUseDomains=yes\n[IPv6AcceptRA]\nUseDomains=yes\n' \
    >/run/systemd/network/eth0.network
  # Nobody here is udev: networkd does not wait for that where /sys is read-only.
  mount -o remount,ro /sys
  SYSTEMD_LOG_LEVEL=err /lib/systemd/systemd-networkd &
  settled_by_kernel
  settled_by_dhcpv6
  await 2001:db8::53 names
}

leave() {
  case $1 in
    dhclient) pkill dhclient ;;
    dhcpcd) dhcpcd -q -x eth0 ;;
    networkd) pkill systemd-network; rm -r $NETWORKD ;;
  esac
}

lease_by() {
  clean
  "$1_lease" >"/tmp/$1.log" 2>&1
  report "$1"
  leave "$1"
}

# It may be a link to a file of a resolver that does not run here.
rm -f /etc/resolv.conf
mkdir -p /run/dhcpcd /run/systemd/network /var/lib/dhcp /var/lib/dhcpcd
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
