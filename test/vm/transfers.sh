# What a machine's script uses to move files and datagrams: it asks the far servers, whose ports are WEB and ECHO, and then is asked.

sum() { sha256sum "$@" | cut -d' ' -f1; }

# transfer FAMILY ADDRESS NAME-IN-A-URL
transfer() {
  curl -sS -o "got$1" "http://$3:$WEB/big" && echo "down$1 $(sum "got$1")"
  curl -sS -T "got$1" "http://$3:$WEB/up/back$1" && echo "up$1"
  for size in 1 1400 8000 60000; do
    head -c $size "got$1" >datagram
    perl datagram.pl "$2" "$ECHO" datagram >echoed
    cmp datagram echoed && echo "datagram$1 $size"
  done
}

# Servers for both families: what gives the file, what takes one and tells its sum, what sends datagrams back.
serve() {
  socat TCP6-LISTEN:7001,ipv6only=0,fork,reuseaddr OPEN:got4,rdonly &
  socat -t 20 TCP6-LISTEN:7002,ipv6only=0,fork,reuseaddr SYSTEM:'cat > /tmp/taken.$$; echo taken $(sha256sum < /tmp/taken.$$ | cut -d" " -f1) > /dev/console' &
  socat -b 65536 UDP6-LISTEN:7003,ipv6only=0,fork PIPE &
  until nc -z 127.0.0.1 7001 && nc -z ::1 7002; do sleep 0.1; done
  echo serving
}
