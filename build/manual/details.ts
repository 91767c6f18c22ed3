/**
 * By option of pasta and passt: what a manual says of it beyond the line of `--help`.
 */
export const DETAILS: Readonly<Record<string, string>> = {
  debug: 'Undoes -q. Lines are about start-up, listeners and what the kernel was found to offer.',
  quiet: 'Undoes -d. A run with a command is as quiet as this unless more is asked for.',
  foreground:
    'A command is always run in the foreground. In the background the first process leaves with status 0 once the network ' + 'is ready.',
  'log-file':
    'The file is made anew, for its owner alone. Without it, a run in the background tells the journal or syslog by ' + '`/dev/log`.',
  'log-size': 'From 40960 to 4294967295 bytes.',
  runas:
    'The files and sockets that are named by options are opened before that, and low TCP ports of --tcp-ports. Without this ' +
    'option root of the first user namespace becomes `nobody`; with 0 it stays root, which it has to be to serve a ' +
    'namespace of root (<PID>, --netns).',
  pid:
    'The file is made for its owner alone before anything starts, written last, and stays at the end. <FILE> may be a pipe ' +
    'or `/proc/`<PID>`/fd/`<N>.',
  stats: 'A run with a command is in the foreground always.',
  'conf-path':
    'Who asks there has to be the same user or root. Without it the run listens at `$XDG_RUNTIME_DIR/ravioli/`<PID>`.sock`, ' +
    'where nobody of the network of the guest may ask.',
  isolation:
    'With `strict` the process that reads packets has no compiler: it maps no executable memory, and needs some 20 % more ' +
    'time per packet.',
  pcap:
    'The file is emptied, and only its owner may read it. It has a record for each frame, whole ones always, so that it can ' +
    'be read while it grows; a superframe of a namespace is one record, its checksum completed. A pipe has to have a reader ' +
    'when the run starts; when that goes, the capture ends and the network stays.',
  'pcap-spliced':
    'Ethernet addresses are zero, sequence numbers begin with 0, and bytes are there when the reader has taken them. ' +
    'Splicing is slower then.',
  mtu: 'From 0 to 65521 bytes. The speed hardly depends on it.',
  address:
    'Without <LENGTH> and --netmask an IPv4 address has the length of its class: 8, 16 or 24. The prefix of an IPv6 address ' +
    'is always 64 long. With --config-net this one address is set up in place of those of the host.',
  netmask: 'In dots or in bits, from 1 to 32.',
  gateway: 'With --config-net a default route by it is set up in place of the routes of the host.',
  interface: 'It has to be there. What it has is taken for both families.',
  outbound: 'It may be one that the host is yet to get.',
  'outbound-if4': 'Also the template of the family unless --interface names one.',
  'outbound-if6': 'Also the template of the family unless --interface names one.',
  dns:
    'Without this option they are those of `/etc/resolv.conf`, whose changes are followed. `none` also ends --dns-forward ' +
    'and --dns-host.',
  'dns-forward':
    'TCP and UDP, ports 53 and 853. When `/etc/resolv.conf` names a resolver on the loopback of the host, the address that ' +
    'leads to this loopback does the same without being asked.',
  search: 'Without this option it is that of `/etc/resolv.conf`.',
  'no-icmp': 'Pings, that is; and no address of the link is found, so that IPv6 needs entries that somebody else has made.',
  'no-dhcp': 'What comes to port 67 is dropped.',
  'tcp-keepalive': 'It is given up after nine times as long.',
  'map-host-loopback': 'Services on 127.0.0.1 and ::1 of the host can be reached by the guest at this address.',
  'map-guest-addr': 'The guest has the same address as the host, which it could not reach otherwise.',
  hostname: 'Told by DHCP, and the name of the UTS namespace that a command gets.',
  fqdn: 'Told by DHCP and DHCPv6 to those who ask with a name and to those who send none.',
  'tcp-ports': 'See FORWARDED PORTS. Default: `auto` with `pasta`, `none` with `passt`.',
  'udp-ports': 'Default as that of --tcp-ports.',
  'tcp-ns': 'See FORWARDED PORTS. Default: `auto`.',
  'udp-ns': 'Default: `auto`.',
  'listen-fd':
    '<TARGET> is a port, an address, or address, slash and port. A name is that of `FileDescriptorName=` in a systemd unit. ' +
    'Sockets of `LISTEN_FDS` need not be named: without this option each leads to the port that its name is, to where a ' +
    'rule that would listen there leads, or to the same port.',
  'print-capabilities': 'On the standard output and the standard error output; who reads them as one gets it once.',
  socket: 'A file that nobody listens at is replaced. The socket stays at the end.',
  fd: 'From 3 on. The run ends with it.',
  userns: 'Undoes --netns-only.',
  netns: 'The path is watched: the run ends when it is gone.',
  'netns-only':
    'Undoes --userns. --netns without --userns means the same. A command stays who its caller is, who must have the rights to make ' +
    'its other namespaces: as root of `unshare -r`, or with `--runas 0`.',
  'no-pidns': 'The processes of the host are seen, and those that the command leaves behind live on.',
  'config-net': 'No router advertisements are sent then.',
  'no-copy-routes': 'Deprecated: --gateway does the same.',
  'no-copy-addrs': 'Deprecated: --address does the same.',
  'ns-mac-addr': 'Without it the kernel chooses one.',
  'host-lo-to-ns-lo': 'Not to the address of the guest, where a service on its loopback alone is not found.',
  'splice-only': 'No addresses, no DNS, no ICMP; --host-lo-to-ns-lo is implied.',
};
