import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { formatAddress, formatMac } from '../../shared/addresses.ts';
import { LogLevel } from '../../shared/messages.ts';
import { parseArguments } from '../../supervisor/args.ts';
import { OPTIONS, type Options } from '../../supervisor/config/options.ts';
import { VERSION } from '../../supervisor/config/version.ts';
import { UsageError } from '../../supervisor/usage-error.ts';

function options(...argv: string[]): Options {
  const invocation = parseArguments('pasta', argv);
  if (invocation.kind !== 'run') throw new Error('no run');
  return invocation.options;
}

function text(name: string, ...argv: string[]): string {
  const invocation = parseArguments(name, argv);
  if (invocation.kind !== 'text') throw new Error('no text');
  return invocation.stdout;
}

function complaint(argv: readonly string[], name = 'pasta'): string {
  try {
    parseArguments(name, argv);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return 'accepted';
}

/** A value of an option as text, so that expectations can be read. */
function shown(value: unknown): string {
  if (value instanceof Uint8Array) return value.length === 6 ? formatMac(value) : formatAddress(value);
  return Array.isArray(value) ? value.map(shown).join(' ') : String(value);
}

describe('supervisor/args: every option that works', () => {
  const cases: readonly [string, keyof Options, string][] = [
    ['', 'logLevel', String(LogLevel.WARNING)],
    ['-f 7', 'logLevel', String(LogLevel.INFO)],
    ['-d', 'logLevel', String(LogLevel.DEBUG)],
    ['--debug', 'logLevel', String(LogLevel.DEBUG)],
    ['--trace', 'logLevel', String(LogLevel.TRACE)],
    ['-q', 'logLevel', String(LogLevel.WARNING)],
    ['-d -q', 'logLevel', String(LogLevel.WARNING)],
    ['-q -d', 'logLevel', String(LogLevel.DEBUG)],
    ['-f -q 7', 'logLevel', String(LogLevel.WARNING)],
    ['--isolation=strict', 'isolation', 'strict'],
    ['--isolation strict --isolation default', 'isolation', 'default'],
    ['', 'isolation', 'default'],
    ['', 'mtu', '65520'],
    ['-m 1500', 'mtu', '1500'],
    ['-m1500', 'mtu', '1500'],
    ['--mtu=0', 'mtu', '0'],
    ['--mtu 0x5dc', 'mtu', '1500'],
    ['-m 02734', 'mtu', '1500'],
    ['-m 65521', 'mtu', '65521'],
    ['-m 9000 -m 1400', 'mtu', '1400'],
    ['-a 10.0.0.5', 'address4', '10.0.0.5'],
    ['-a 10.0.0.5', 'prefixLength4', '8'],
    ['-a 172.16.0.5', 'prefixLength4', '16'],
    ['-a 192.168.0.5', 'prefixLength4', '24'],
    ['-a 240.0.0.5', 'prefixLength4', '32'],
    ['-a 10.0.0.5/24', 'prefixLength4', '24'],
    ['-a 10.0.0.5 -n 255.255.0.0', 'prefixLength4', '16'],
    ['-n 20 -a 10.0.0.5', 'prefixLength4', '20'],
    ['-n 20', 'prefixLength4', '20'],
    ['', 'prefixLength4', 'null'],
    ['-a 2001:db8::5/48', 'address6', '2001:db8::5'],
    ['-a 10.0.0.5 -a 2001:db8::5', 'address6', '2001:db8::5'],
    ['-a fe80::1', 'address6', 'fe80::1'],
    ['-a 10.0.0.5/24 -a 2001:db8::5 -a 192.168.0.6', 'address4', '192.168.0.6'],
    ['-a 10.0.0.5/16 -a 192.168.0.6', 'prefixLength4', '24'],
    ['-a 2001:db8::5 -a 2001:db8::6', 'address6', '2001:db8::6'],
    ['-g 10.0.0.1 -g fe80::1 -g 10.0.0.2', 'gateway4', '10.0.0.2'],
    ['-D 1.1.1.1 -D 1.1.1.2 -D 1.1.1.3 -D 1.1.1.4 -D fe80::9', 'dns', '1.1.1.1 1.1.1.2 1.1.1.3 fe80::9'],
    ['-H box --hostname=', 'hostname', 'null'],
    ['--fqdn a.b --fqdn=', 'fqdn', 'null'],
    ['-g 10.0.0.1', 'gateway4', '10.0.0.1'],
    ['--gateway fe80::1', 'gateway6', 'fe80::1'],
    ['-i eth0', 'templateInterface', 'eth0'],
    ['-I tap7', 'namespaceInterface', 'tap7'],
    ['--ns-ifname=abcdefghijklmno', 'namespaceInterface', 'abcdefghijklmno'],
    ['', 'ourMac', '9a:55:9a:55:9a:55'],
    ['-M 02:00:00:00:00:01', 'ourMac', '02:00:00:00:00:01'],
    ['', 'guestMac', 'null'],
    ['--ns-mac-addr 02:00:00:00:00:01 --ns-mac-addr 02:00:00:00:00:02', 'guestMac', '02:00:00:00:00:02'],
    ['', 'dns', 'null'],
    ['-D none', 'dns', ''],
    ['-D 1.1.1.1 -D 2001:db8::53', 'dns', '1.1.1.1 2001:db8::53'],
    ['-D 1.1.1.1 -D none', 'dns', ''],
    ['-D none -D 9.9.9.9', 'dns', '9.9.9.9'],
    ['-D 127.0.0.53', 'dns', '127.0.0.53'],
    ['', 'dnsForward4', 'null'],
    ['--dns-forward 169.254.1.1', 'dnsForward4', '169.254.1.1'],
    ['--dns-forward 169.254.1.1 --dns-forward=fd00::53', 'dnsForward6', 'fd00::53'],
    ['--dns-forward 10.0.2.3 --dns-forward 10.0.2.4', 'dnsForward4', '10.0.2.4'],
    ['--dns-forward 10.0.2.3 -D none', 'dnsForward4', 'null'],
    ['-D none --dns-forward 10.0.2.3', 'dnsForward4', '10.0.2.3'],
    ['--dns-host 127.0.0.53', 'dnsHost4', '127.0.0.53'],
    ['--dns-host ::1', 'dnsHost6', '::1'],
    ['--dns-host ::1 -D none', 'dnsHost6', 'null'],
    ['', 'search', 'null'],
    ['-S none', 'search', ''],
    ['-S example.org -S example.com', 'search', 'example.org example.com'],
    ['-S a -S none -S b\tc', 'search', 'b c'],
    ['-H box', 'hostname', 'box'],
    ['-c /run/a', 'controlPath', '/run/a'],
    ['--conf-path=a -c b', 'controlPath', 'b'],
    ['--hostname=a.b-c', 'hostname', 'a.b-c'],
    ['-4', 'ipv6', 'false'],
    ['-4', 'ipv4', 'true'],
    ['-6', 'ipv4', 'false'],
    ['-4 -6', 'ipv4', 'false'],
    ['-4 -6', 'ipv6', 'true'],
    ['-6 -4', 'ipv4', 'true'],
    ['--no-tcp', 'tcp', 'false'],
    ['--no-udp', 'udp', 'false'],
    ['--no-icmp', 'icmp', 'false'],
    ['--no-icmp', 'ndp', 'false'],
    ['--no-ndp', 'ndp', 'false'],
    ['--no-ndp', 'icmp', 'true'],
    ['', 'tcpHandshakeTimeout', '19000'],
    ['--tcp-handshake-timeout 5', 'tcpHandshakeTimeout', '5000'],
    ['', 'tcpIdleTimeout', '7200000'],
    ['--tcp-idle-timeout=1.5', 'tcpIdleTimeout', '1500'],
    ['--tcp-idle-timeout 0', 'tcpIdleTimeout', '0'],
    ['', 'udpTimeout', 'null'],
    ['--udp-timeout 2.5', 'udpTimeout', '2500'],
    ['', 'udpStreamTimeout', 'null'],
    ['--udp-stream-timeout=0', 'udpStreamTimeout', '0'],
    ['--tcp-idle-timeout 0.1', 'tcpIdleTimeout', '100'],
    ['--tcp-idle-timeout 1000000', 'tcpIdleTimeout', '1000000000'],
    ['', 'tcpHalfClosedTimeout', '7200000'],
    ['--tcp-half-closed-timeout 0.0', 'tcpHalfClosedTimeout', '0'],
    ['--tcp-half-closed-timeout 60', 'tcpHalfClosedTimeout', '60000'],
    ['', 'tcpKeepalive', '0'],
    ['--tcp-keepalive 30', 'tcpKeepalive', '30000'],
    ['--tcp-keepalive 30 --tcp-keepalive 0', 'tcpKeepalive', '0'],
    ['--no-ra', 'ra', 'false'],
    ['--config-net', 'ra', 'false'],
    ['--no-dhcp', 'dhcp', 'false'],
    ['--no-dhcp', 'dhcpv6', 'true'],
    ['--no-dhcpv6', 'dhcpv6', 'false'],
    ['--no-map-gw', 'mapGateway', 'false'],
    ['--map-host-loopback none', 'mapGateway', 'false'],
    ['--map-host-loopback 10.0.2.2', 'mapHostLoopback4', '10.0.2.2'],
    ['--map-host-loopback=2001:db8::2', 'mapHostLoopback6', '2001:db8::2'],
    ['--map-host-loopback 10.0.2.2 --map-host-loopback none', 'mapHostLoopback4', 'null'],
    ['--map-guest-addr 169.254.1.2', 'mapGuestAddress4', '169.254.1.2'],
    ['--map-guest-addr fe80::9', 'mapGuestAddress6', 'fe80::9'],
    ['--map-guest-addr 169.254.1.2 --map-guest-addr none', 'mapGuestAddress4', 'null'],
    ['--config-net', 'configureNetwork', 'true'],
    ['--no-pidns', 'pidNamespace', 'false'],
    ['--config-net --no-copy-routes', 'copyRoutes', 'false'],
    ['--config-net --no-copy-addrs', 'copyAddresses', 'false'],
    ['-t none -u none -T none -U none', 'command', 'null'],
    ['-f 12', 'command', 'null'],
    ['true 1', 'command', 'true 1'],
    ['-- -x -y', 'command', '-x -y'],
    ['sh -c -d', 'command', 'sh -c -d'],
    ['1 2', 'command', '1 2'],
    ['-f -', 'command', '-'],
    ['-4fq true', 'ipv6', 'false'],
    ['-fm1400', 'mtu', '1400'],
    ['--config', 'configureNetwork', 'true'],
    ['--map-h none', 'mapGateway', 'false'],
    ['-e', 'foreground', 'true'],
  ];
  for (const [line, key, expected] of cases) {
    it(`${line || '(nothing)'} makes ${key} ${expected}`, () => {
      const argv = line.split(' ').filter((word) => word !== '');
      expect(shown(options(...argv)[key])).to.equal(expected);
    });
  }

  it('is frozen', () => {
    expect(options()).to.be.frozen;
    expect(options('a').command).to.be.frozen;
  });
});

describe('supervisor/args: warnings', () => {
  for (const [line, pattern] of [
    ['--stderr', /--stderr has no effect/],
    ['-m 67', /^--mtu 67 is too small for IPv4.*\n--mtu 67 is too small for IPv6/],
    ['-m 1279', /^--mtu 1279 is too small for IPv6, which needs 1280/],
    ['--config-net --no-copy-routes', /--no-copy-routes is deprecated/],
    ['-S a -S b -S c -S d -S e -S f -S g', /^--search 'g' is left out/],
    ['-D 1.1.1.1 -D 1.1.1.2 -D 1.1.1.3 -D 1.1.1.4', /^--dns '1.1.1.4' is left out: three IPv4 servers were given before$/],
  ] as const) {
    it(line, () => expect(options(...line.split(' ')).warnings.join('\n')).to.match(pattern));
  }

  it('are absent where there is nothing to say', () => {
    expect(options('-m', '1279', '-4').warnings).to.eql([]);
    expect(options('-m', '68', '-4').warnings).to.eql([]);
    expect(options('-m', '0').warnings).to.eql([]);
  });
});

const MAPPABLE = 'give a unicast address';
const FORM = 'is not an IP address; give it as 192.0.2.1 or 2001:db8::1';
const IFNAME = 'is not an interface name; it has 1 to 15 bytes without blanks, slashes and colons';

describe('supervisor/args: every wrong word has its own line', () => {
  const wrong: readonly [readonly string[], string][] = [
    [['--xyz'], "unrecognized option '--xyz'"],
    [['--xyz=1'], "unrecognized option '--xyz=1'"],
    [['-z'], "invalid option -- 'z'"],
    [['-fz'], "invalid option -- 'z'"],
    [['-m'], "option requires an argument -- 'm'"],
    [['-fm'], "option requires an argument -- 'm'"],
    [['--mtu'], "option '--mtu' requires an argument"],
    [['--quiet=1'], "option '--quiet' doesn't allow an argument"],
    [['--ipv'], "option '--ipv' is ambiguous; possibilities: '--ipv4-only' '--ipv6-only'"],
    [['--dns-=1.1.1.1'], "option '--dns-=1.1.1.1' is ambiguous; possibilities: '--dns-forward' '--dns-host'"],
    [['--bad\u001b[2J\n'], "unrecognized option '--bad\\x1b[2J\\x0a'"],
    [['-m', 'x'], "--mtu 'x': is not a number; give bytes from 0 to 65521"],
    [['-m', ''], "--mtu '': is not a number; give bytes from 0 to 65521"],
    [['-m', '-1'], "--mtu '-1': is not a number; give bytes from 0 to 65521"],
    [['-m', '1500 '], "--mtu '1500 ': is not a number; give bytes from 0 to 65521"],
    [['-m', '09'], "--mtu '09': is not a number; give bytes from 0 to 65521"],
    [['-m', '65522'], "--mtu '65522': is too large; the largest MTU is 65521"],
    [['-m', '99999999999'], "--mtu '99999999999': is too large; the largest MTU is 65521"],
    [['-a', 'x'], `--address 'x': ${FORM}`],
    [['-a', ''], `--address '': ${FORM}`],
    [['-a', '10.0.0'], `--address '10.0.0': ${FORM}`],
    [['-a', '0.0.0.0'], `--address '0.0.0.0': is the unspecified address; ${MAPPABLE}`],
    [['-a', '::'], `--address '::': is the unspecified address; ${MAPPABLE}`],
    [['-a', '127.0.0.1'], `--address '127.0.0.1': is a loopback address; ${MAPPABLE}`],
    [['-a', '::1'], `--address '::1': is a loopback address; ${MAPPABLE}`],
    [['-a', '224.0.0.1'], `--address '224.0.0.1': is a multicast address; ${MAPPABLE}`],
    [['-a', 'ff02::1'], `--address 'ff02::1': is a multicast address; ${MAPPABLE}`],
    [['-a', '255.255.255.255'], `--address '255.255.255.255': is the broadcast address; ${MAPPABLE}`],
    [['-a', '::ffff:10.0.0.1'], "--address '::ffff:10.0.0.1': is an IPv4 address in IPv6 form; write 10.0.0.1"],
    [['-a', '::10.0.0.1'], "--address '::10.0.0.1': is an IPv4 address in IPv6 form; write 10.0.0.1"],
    [['-a', 'fe80::1%eth0'], "--address 'fe80::1%eth0': has a scope; give the address alone"],
    [['-a', '10.0.0.1/33'], "--address '10.0.0.1/33': the prefix length must be a number from 1 to 32"],
    [['-a', '10.0.0.1/0'], "--address '10.0.0.1/0': the prefix length must be a number from 1 to 32"],
    [['-a', '10.0.0.1/'], "--address '10.0.0.1/': the prefix length must be a number from 1 to 32"],
    [['-a', '10.0.0.1/a'], "--address '10.0.0.1/a': the prefix length must be a number from 1 to 32"],
    [['-a', '2001:db8::1/129'], "--address '2001:db8::1/129': the prefix length must be a number from 0 to 128"],
    [['-n', '33'], "--netmask '33': give a number of bits from 1 to 32, or a contiguous mask like 255.255.255.0"],
    [['-n', '0'], "--netmask '0': give a number of bits from 1 to 32, or a contiguous mask like 255.255.255.0"],
    [['-n', '255.0.255.0'], "--netmask '255.0.255.0': give a number of bits from 1 to 32, or a contiguous mask like 255.255.255.0"],
    [['-n', 'x'], "--netmask 'x': give a number of bits from 1 to 32, or a contiguous mask like 255.255.255.0"],
    [['-a', '10.0.0.1/8', '-n', '24'], "--netmask '24': --address has a prefix length already, /8; give one of the two"],
    [['-n', '24', '-a', '10.0.0.1/8'], "--netmask '24': --address has a prefix length already, /8; give one of the two"],
    [['-M', 'x'], "--mac-addr 'x': is not a MAC address; give six bytes like 9a:55:9a:55:9a:55"],
    [['-M', '9a:55:9a:55:9a:5'], "--mac-addr '9a:55:9a:55:9a:5': is not a MAC address; give six bytes like 9a:55:9a:55:9a:55"],
    [['-M', '01:00:5e:00:00:01'], "--mac-addr '01:00:5e:00:00:01': is a multicast MAC address; the first byte must be even"],
    [['--ns-mac-addr', '00:00:00:00:00:00'], "--ns-mac-addr '00:00:00:00:00:00': is the empty MAC address; give another one"],
    [['--ns-mac-addr=ff:ff:ff:ff:ff:ff'], "--ns-mac-addr 'ff:ff:ff:ff:ff:ff': is a multicast MAC address; the first byte must be even"],
    [['-g', '10.0.0.0/8'], "--gateway '10.0.0.0/8': has a prefix length; give the address alone"],
    [['-g', '127.0.0.1'], `--gateway '127.0.0.1': is a loopback address; ${MAPPABLE}`],
    [['-g', '::'], `--gateway '::': is the unspecified address; ${MAPPABLE}`],
    [['-g', '255.255.255.255'], `--gateway '255.255.255.255': is the broadcast address; ${MAPPABLE}`],
    [['-i', 'abcdefghijklmnop'], "--interface 'abcdefghijklmnop': is too long; an interface name has at most 15 bytes"],
    [['-i', ''], `--interface '': ${IFNAME}`],
    [['-I', 'a/b'], `--ns-ifname 'a/b': ${IFNAME}`],
    [['-I', '..'], `--ns-ifname '..': ${IFNAME}`],
    [['-I', 'a b'], `--ns-ifname 'a b': ${IFNAME}`],
    [['-I', 'eth0:1'], `--ns-ifname 'eth0:1': ${IFNAME}`],
    [['-D', 'x'], `--dns 'x': ${FORM}`],
    [['--dns-forward', 'none'], `--dns-forward 'none': ${FORM}`],
    [['--dns-forward', '0.0.0.0'], `--dns-forward '0.0.0.0': is the unspecified address; ${MAPPABLE}`],
    [['--dns-forward', '::'], `--dns-forward '::': is the unspecified address; ${MAPPABLE}`],
    [['--dns-forward', '127.0.0.53'], `--dns-forward '127.0.0.53': is a loopback address; ${MAPPABLE}`],
    [['--dns-forward', '255.255.255.255'], `--dns-forward '255.255.255.255': is the broadcast address; ${MAPPABLE}`],
    [['--dns-forward', 'ff02::1'], `--dns-forward 'ff02::1': is a multicast address; ${MAPPABLE}`],
    [['--dns-host', 'x'], `--dns-host 'x': ${FORM}`],
    [['--dns-host', '0.0.0.0'], `--dns-host '0.0.0.0': is the unspecified address; ${MAPPABLE}`],
    [['--dns-host', '224.0.0.1'], `--dns-host '224.0.0.1': is a multicast address; ${MAPPABLE}`],
    [['--dns-host', '::ffff:10.0.0.1'], "--dns-host '::ffff:10.0.0.1': is an IPv4 address in IPv6 form; write 10.0.0.1"],
    [['-D', '0.0.0.0'], `--dns '0.0.0.0': is the unspecified address; ${MAPPABLE}`],
    [['-S', ''], "--search '': is not a domain; give one, or 'none' for none"],
    [['-S', ' '], "--search ' ': is not a domain; give one, or 'none' for none"],
    [['-S', 'x'.repeat(1024)], "--search 'xxxxxxxxxxxxxxxxxxxx…': is too long; a domain has at most 1023 characters"],
    [['-c', ''], "--conf-path '': is no path; give one of a file that does not exist yet"],
    [['-c', 'é'.repeat(54)], `--conf-path '${'é'.repeat(54)}': has 108 bytes, a socket's path 107 at most; give a shorter one`],
    [['-H', 'a b'], "--hostname 'a b': is not a host name; use letters, digits, - and . only"],
    [['-H', 'a..b'], "--hostname 'a..b': is not a host name; use letters, digits, - and . only"],
    [['-H', `${'a.'.repeat(126)}aa`], `--hostname '${'a.'.repeat(126)}aa': is too long; a name has at most 253 characters`],
    [['--map-host-loopback', 'x'], `--map-host-loopback 'x': ${FORM}`],
    [['--map-host-loopback', '127.0.0.1'], `--map-host-loopback '127.0.0.1': is a loopback address; ${MAPPABLE}`],
    [['--map-host-loopback', '0.0.0.0'], `--map-host-loopback '0.0.0.0': is the unspecified address; ${MAPPABLE}`],
    [['--map-guest-addr', 'ff02::1'], `--map-guest-addr 'ff02::1': is a multicast address; ${MAPPABLE}`],
    [['--map-guest-addr', ''], `--map-guest-addr '': ${FORM}`],
    [['--isolation', 'none'], "--isolation 'none': is no level of isolation; give 'default' or 'strict'"],
    [
      ['--tcp-idle-timeout', 'x'],
      "--tcp-idle-timeout 'x': is not a number of seconds; give seconds from 0.1 to 1000000, or 0 for no limit",
    ],
    [
      ['--tcp-idle-timeout', '-1'],
      "--tcp-idle-timeout '-1': is not a number of seconds; give seconds from 0.1 to 1000000, or 0 for no limit",
    ],
    [
      ['--tcp-idle-timeout', '1e3'],
      "--tcp-idle-timeout '1e3': is not a number of seconds; give seconds from 0.1 to 1000000, or 0 for no limit",
    ],
    [['--tcp-idle-timeout', '0.05'], "--tcp-idle-timeout '0.05': is too short; give seconds from 0.1 to 1000000, or 0 for no limit"],
    [
      ['--tcp-half-closed-timeout=1000000.1'],
      "--tcp-half-closed-timeout '1000000.1': is too long; give seconds from 0.1 to 1000000, or 0 for no limit",
    ],
    [['--tcp-handshake-timeout', '0'], "--tcp-handshake-timeout '0': is too short; give seconds from 0.1 to 1000000"],
    [['--tcp-keepalive', ''], "--tcp-keepalive '': is not a number of seconds; give seconds from 0.1 to 1000000, or 0 for no questions"],

    [['-t', 'x'], "--tcp-ports 'x': 'x' is not a port; give ports like 80, 8000-8010 or 8080:80"],
    [['--no-copy-routes'], '--no-copy-routes has no meaning without --config-net; add that or leave it out'],
    [['--no-copy-addrs'], '--no-copy-addrs has no meaning without --config-net; add that or leave it out'],
    [['-f', '--no-pidns', '12'], '--no-pidns concerns a command that is started here, not a namespace that exists; leave it out'],
    [['-f', '0'], "'0' is not a process ID; give one from 1 to 2147483647"],
    [['-f', '99999999999'], "'99999999999' is not a process ID; give one from 1 to 2147483647"],
    [['--pcap-spliced'], '--pcap-spliced has no meaning without a file for what is captured; add --pcap'],
    [['--pcap'], "option '--pcap' requires an argument"],
    [['--pcap', ''], "--pcap '': is no path; give that of a file"],
    [['-l', ''], "--log-file '': is no path; give that of a file"],
    [['-P', ''], "--pid '': is no path; give that of a file"],
    [['-1'], '--one-off is an option of passt, not of pasta'],
    [['--vhost-user'], '--vhost-user is an option of passt, not of pasta'],
    [['--sock', '/x'], '--socket is an option of passt, not of pasta'],
    [['-m', '70000', '--xyz'], "--mtu '70000': is too large; the largest MTU is 65521"],
  ];
  for (const [argv, message] of wrong) {
    it(`${JSON.stringify(argv).slice(0, 80)}`, () => expect(complaint(argv)).to.equal(message));
  }

  it('are at least sixty', () => expect(wrong.length).to.be.greaterThan(60));

  it('refuses options of the other mode, and a name that is neither', () => {
    expect(complaint(['--config-net'], 'passt')).to.equal('--config-net is an option of pasta, not of passt');
    expect(complaint([], '/usr/bin/ravioli')).to.equal("'ravioli' names no mode; start this program under the name pasta or passt");
    expect(complaint(['-f'], '/opt/passt/pasta.avx2')).to.equal('accepted');
  });

  it('refuses each option that is not there yet, and only those', () => {
    for (const row of OPTIONS.filter((candidate) => candidate.modes !== 'passt')) {
      const message = complaint(row.argument === undefined ? [`--${row.long}`] : [`--${row.long}`, 'value']);
      if (row.set === undefined && row.awaits !== undefined) expect(message).to.equal(`--${row.long} is not supported yet`);
      else expect(message, row.long).not.to.contain(`--${row.long} is not supported yet`);
    }
  });

  it('never throws anything but one printable line', () => {
    const word = fc.oneof(
      fc.constantFrom(
        ...OPTIONS.map((row) => `--${row.long}`),
        ...OPTIONS.map((row) => `-${row.short ?? 'f'}`),
        '--',
        '-',
        '10.0.0.1',
        '::1/64',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
        expect(complaint(argv)).to.match(/^[^\x00-\x1f\x7f]+$/);
      }),
      { numRuns: 500 },
    );
  });
});

describe('supervisor/args: texts', () => {
  it('prints the mode and the version of the package first', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
    expect(VERSION).to.equal(version);
    expect(text('/usr/bin/pasta', '--version').split(/\s/).slice(0, 2)).to.eql(['pasta', version]);
    expect(text('passt', '--version').split(/\s/).slice(0, 2)).to.eql(['passt', version]);
  });

  it('lists the options of the mode, and stops reading there', () => {
    const help = text('pasta', '-4', '-h', '--nonsense');
    for (const row of OPTIONS) expect(help.includes(`--${row.long} `), row.long).to.equal(row.modes !== 'passt');
    expect(text('passt', '--help')).to.contain('--vhost-user').and.not.to.contain('--config-net');
    expect(help).to.match(/-m, --mtu BYTES/);
    expect(text('passt', '--help')).to.match(/--vhost-user .*not supported yet/);
    expect(help.split('\n').every((line) => line.length <= 130)).to.equal(true);
  });

  it('names each option once', () => {
    expect(new Set(OPTIONS.map((row) => row.long)).size).to.equal(OPTIONS.length);
    const shorts = OPTIONS.filter((row) => row.long !== 'socket-path' && row.short !== undefined).map((row) => row.short);
    expect(new Set(shorts).size).to.equal(shorts.length);
    expect(new Set(shorts)).to.eql(new Set('dqfelhscFIpPmanMgioDSH461tuTU'));
  });
});
