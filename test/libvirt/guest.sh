#!/bin/sh
# First process of the machines: a network by DHCP, which is renewed for ever, and a web server that runs what it is sent: what the tests know
# of a machine they know through passt. The console tells the lease.
busybox mount -t proc proc /proc
busybox mkdir -p /sys /dev /tmp /www/cgi-bin
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev
while read -r name; do busybox insmod "/lib/$name.ko"; done < /lib/order
busybox --install -s /bin
export PATH=/bin

cat > /lease << 'SCRIPT'
#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip link set "$interface" mtu "${mtu:-1500}"
ip address replace "$ip/$mask" dev "$interface"
ip route replace default via "$router" dev "$interface"
echo "lease $1 address $ip/$mask router $router mtu $mtu hostname $hostname" | tee -a /leases > /dev/console
SCRIPT

cat > /www/cgi-bin/run << 'SCRIPT'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
head -c "$CONTENT_LENGTH" > /tmp/run.$$
sh /tmp/run.$$ 2>&1
SCRIPT

chmod 755 /lease /www/cgi-bin/run
ip link set lo up
# An address is used from its first moment on, not after a second or two.
echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set eth0 up
udhcpc -i eth0 -b -S -t 30 -T 1 -s /lease > /dev/null 2>&1
httpd -p 80 -h /www
/echo 9000 &
echo "guest is up, card $(cat /sys/class/net/eth0/address)" > /dev/console
while true; do sleep 3600; done
