/** What `ravioli status` and `ravioli flows` show of the answers. */
import { expect } from 'chai';
import { showFlows, type ShownFlow } from '../../../supervisor/control/flow-listing.ts';
import { durationText, parseStatus, showRun, type ShownRun } from '../../../supervisor/control/status-command.ts';
import { UsageError } from '../../../supervisor/usage-error.ts';

const FAMILY = { address: '192.0.2.2/24', gateway: '192.0.2.1', uplink: 'eth0' };
const GUEST = {
  command: 12,
  namespace: '/proc/12/ns/net',
  socket: null,
  interface: 'eth0',
  mac: '02:00:00:00:00:01',
  mtu: 65_520,
  ipv4: FAMILY,
  ipv6: { address: null, gateway: null, uplink: null },
  dns: ['192.0.2.53'],
};
const RULE = { address: '::1', interface: 'lo', first: 80, last: 82, target: '2001:db8::9', targetFirst: 8080, weak: true, scan: true };
const RUN: ShownRun = {
  pid: 11,
  mode: 'pasta',
  version: '1.2.3',
  seconds: 3661,
  guest: GUEST,
  control: '/run/box',
  forwards: [{ protocol: 'tcp', side: 'host', ...RULE }],
  flows: 2,
  counters: { wakeups: 5, stale_events: 0 },
};

describe('supervisor/control: status', () => {
  it('is read from words, the process before or behind the options', () => {
    expect(parseStatus([])).to.deep.equal({ json: false, help: false, pid: null });
    expect(parseStatus(['7', '--json'])).to.deep.equal({ json: true, help: false, pid: 7 });
    expect(parseStatus(['--json', '7'])).to.deep.equal({ json: true, help: false, pid: 7 });
    for (const [words, line] of [
      [['0'], /'0' is no process ID; give/],
      [['x'], /'x' is no process ID; give/],
      [['7', '8'], /'8' is one word too many; give/],
      [['--all'], /unrecognized option '--all'/],
    ] as const)
      expect(() => parseStatus(words)).to.throw(UsageError, line);
  });

  it('shows a run', () => {
    expect(showRun(RUN)).to.equal(`pasta 1.2.3, process 11, for 1 h 1 min
  guest     command 12, interface eth0, MAC 02:00:00:00:00:01, MTU 65520
  IPv4      192.0.2.2/24, gateway 192.0.2.1 by eth0
  IPv6      link-local only, no uplink
  DNS       192.0.2.53
  control   /run/box
  forwards  tcp host [::1]%lo:80-82 to guest [2001:db8::9]:8080-8082 (best effort, auto)
  flows     2
  counters  wakeups 5
`);
  });

  it('shows what is served: a machine, a namespace, one without an interface', () => {
    const guestOf = (mode: string, change: Partial<ShownRun['guest']>): string =>
      showRun({ ...RUN, mode, guest: { ...GUEST, command: null, ...change } }).split('\n')[1] as string;
    expect(guestOf('passt', { socket: '/tmp/a\u001b[2J' })).to.equal('  guest     the machine at /tmp/a\\x1b[2J');
    expect(guestOf('passt', {})).to.equal('  guest     a machine');
    expect(guestOf('pasta', { namespace: '/run/netns/x', interface: null })).to.equal('  guest     namespace /run/netns/x, no interface');
  });

  it('gives times in two units', () => {
    expect([0, 0.44, 59, 60, 3_599, 90_000].map(durationText)).to.deep.equal([
      '0.0 s',
      '0.4 s',
      '59 s',
      '1 min 0 s',
      '59 min 59 s',
      '1 d 1 h',
    ]);
  });

  it('shows flows in columns', () => {
    const flow: ShownFlow = {
      protocol: 'tcp',
      state: 'ESTABLISHED',
      spliced: false,
      guest: { address: '192.0.2.2', port: 40_000 },
      far: { address: '2001:db8::1', port: 443 },
      host: null,
      seconds: 5,
      fromGuest: 1234,
      toGuest: 5,
    };
    const ping = { ...flow, protocol: 'icmp', state: 'ANSWERED', far: { address: '192.0.2.1', port: 0 }, fromGuest: null, toGuest: null };
    expect(showFlows([flow, ping, { ...flow, spliced: true }])).to.equal(
      `PROTOCOL     STATE        GUEST            FAR END            HOST SOCKET  AGE  FROM GUEST  TO GUEST
tcp          ESTABLISHED  192.0.2.2:40000  [2001:db8::1]:443  -            5 s        1234         5
icmp         ANSWERED     192.0.2.2:40000  192.0.2.1          -            5 s           -         -
tcp spliced  ESTABLISHED  192.0.2.2:40000  [2001:db8::1]:443  -            5 s        1234         5
`,
    );
  });
});
