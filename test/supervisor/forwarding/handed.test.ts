/** Sockets that were handed in: where they lead, and that nothing else is bound where one of them listens. */
import { expect } from 'chai';
import { parseAddress } from '../../../shared/addresses.ts';
import { parseArguments } from '../../../supervisor/args.ts';
import { planForwarding } from '../../../supervisor/config/forwarding.ts';
import { HandedOpener } from '../../../supervisor/forwarding/handed-opener.ts';
import { describeRule } from '../../../supervisor/forwarding/rule.ts';
import type { HandedSocket } from '../../../supervisor/host/handed-sockets.ts';
import type { ListenQuestion } from '../../../supervisor/opener.ts';
import { UsageError } from '../../../supervisor/usage-error.ts';
import { withoutDefaults } from '../../support/forwarding_words.ts';

const address = (text: string): Uint8Array => parseAddress(text) as Uint8Array;
const WEB: HandedSocket = { descriptor: 3, name: null, protocol: 'tcp', address: null, port: 80, interfaceName: null, link: 0 };

/** The rules of the host's side, as a reader sees them. */
function rules(line: string, ...sockets: Partial<HandedSocket>[]): string[] {
  const invocation = parseArguments('pasta', withoutDefaults(line.split(' ').filter(Boolean)));
  if (invocation.kind !== 'run') throw new Error('no run');
  const { options } = invocation;
  const { ipv4, ipv6, tcp, udp } = options;
  const host = { ipv4, ipv6, tcp, udp, scan: true, ephemeral: { first: 1000, last: 65_535 } };
  const handed = sockets.map((socket, at) => ({ ...WEB, descriptor: 3 + at, ...socket }));
  return planForwarding(options, host, handed).host.map(describeRule);
}

describe('supervisor/forwarding: sockets that were handed in', () => {
  const rows: [string, string, Partial<HandedSocket>[], string[]][] = [
    ['lead to the same port', '-t none', [{}], ['TCP [*]:80 => 80']],
    ['lead to the port that their name is', '-t none', [{ name: '8080' }], ['TCP [*]:80 => 8080']],
    ['lead to the port that their name is, with the protocol', '-t none', [{ name: 'tcp-8080' }], ['TCP [*]:80 => 8080']],
    ['lead to the same port under another name', '-t none', [{ name: 'web.socket' }], ['TCP [*]:80 => 80']],
    [
      'keep their address and interface',
      '-t none',
      [{ address: address('192.0.2.2'), interfaceName: 'eth0' }],
      ['TCP [192.0.2.2]%eth0:80 => 80'],
    ],
    [
      'are two rules for two families',
      '-t none',
      [{ address: address('0.0.0.0') }, { address: address('::') }],
      ['TCP [0.0.0.0]:80 => 80', 'TCP [::]:80 => 80'],
    ],
    ['serve a rule of the options', '-t 80:8080', [{}], ['TCP [*]:80 => 8080']],
    ['serve a rule of the options that leads where their name says', '-t 80:8080', [{ name: '8080' }], ['TCP [*]:80 => 8080']],
    ['serve a part of a rule', '-t 79-81:8079-8081', [{}], ['TCP [*]:79-81 => 8079-8081']],
    [
      'leave out their port of what is automatic',
      '-t 79-82,auto',
      [{ name: '8080' }],
      ['TCP [*]:79 => 79 (auto-scan)', 'TCP [*]:81-82 => 81-82 (auto-scan)', 'TCP [*]:80 => 8080'],
    ],
    ['leave out their port of all ports', '-t all', [{ port: 999 }], ['TCP [*]:1-998 => 1-998 (best effort)', 'TCP [*]:999 => 999']],
    ['leave other protocols alone', '-u 80', [{}], ['UDP [*]:80 => 80', 'TCP [*]:80 => 80']],
    ['lead where the option says, by number', '-t none --listen-fd 3:8080', [{ name: '7070' }], ['TCP [*]:80 => 8080']],
    [
      'lead where the option says, by name',
      '-t none --listen-fd web:8080',
      [{ name: 'web' }, { name: 'web', port: 443 }],
      ['TCP [*]:80 => 8080', 'TCP [*]:443 => 8080'],
    ],
    [
      'lead to an address',
      '-t none --listen-fd 3:192.0.2.9/8080',
      [{ address: address('192.0.2.2') }],
      ['TCP [192.0.2.2]:80 => 192.0.2.9:8080'],
    ],
    [
      'lead to an address in brackets, with the same port',
      '-t none --listen-fd 3:[2001:db8::9]',
      [{ address: address('::') }],
      ['TCP [::]:80 => [2001:db8::9]:80'],
    ],
  ];
  for (const [what, line, sockets, expected] of rows)
    it(what, () => {
      expect(rules(line, ...sockets)).to.deep.equal(expected);
    });

  const wrong: [string, Partial<HandedSocket>[], string][] = [
    [
      '-t 80:8080',
      [{ name: '7070' }],
      "socket 3 ('7070'): conflicts with --tcp-ports '80:8080', which forwards port 80 as well; leave one out",
    ],
    [
      '-t 80',
      [{ address: address('0.0.0.0') }],
      "socket 3: conflicts with --tcp-ports '80', which forwards port 80 as well; leave one out",
    ],
    ['', [{ name: 'udp-80' }], "socket 3 ('udp-80') is a TCP socket; name it tcp-80, or 80"],
    ['', [{ name: '70000' }], "socket 3 ('70000'): 70000 is no port; the last one is 65535"],
    ['--no-tcp', [{}], 'socket 3: TCP is switched off by --no-tcp; leave one of the two out'],
    ['-4', [{ address: address('::1') }], 'socket 3: ::1 is an IPv6 address, but IPv6 is switched off; give another one'],
    ['--listen-fd web:80', [{}], "--listen-fd 'web:80': no socket of that name was handed in; see LISTEN_FDNAMES in sd_listen_fds(3)"],
    ['--listen-fd 3:192.0.2.9', [{}], "socket 3: what listens on both families can't lead to 192.0.2.9; write 0.0.0.0/ before the ports"],
    ['--listen-fd 2', [], "--listen-fd '2': 2 can't be a socket that was handed in; those begin with 3"],
    ['--listen-fd 3:0', [], "--listen-fd '3:0': '0' is no port; ports are 1 to 65535"],
    ['--listen-fd 3:', [], "--listen-fd '3:': '' is no port; ports are 1 to 65535"],
    ['--listen-fd 3:192.0.2.9/', [], "--listen-fd '3:192.0.2.9/': '' is no port; ports are 1 to 65535"],
    ['--listen-fd 3:x/80', [], "--listen-fd '3:x/80': 'x' is not an IP address; give it as 192.0.2.1 or [2001:db8::1]"],
    [
      '--listen-fd :80',
      [],
      "--listen-fd ':80': lacks the socket; give the number of a descriptor, or a name from the unit's FileDescriptorName=",
    ],
  ];
  for (const [line, sockets, message] of wrong)
    it(`are refused: ${line} ${sockets.map(({ name }) => name ?? '').join(' ')}`, () => {
      expect(() => rules(line, ...sockets)).to.throw(UsageError, message);
    });
});

describe('supervisor/forwarding/handed-opener', () => {
  const ANY = address('::');
  const asked: ListenQuestion[] = [];
  const opener = {
    postListener: (question: ListenQuestion) => void asked.push(question),
    collectListener: () => ({ result: 1, descriptor: 99 }),
    setPorts: () => undefined,
  };
  const question = { protocol: 'tcp', port: 80, address: ANY, both: true, freeBind: false, link: 0 } as const;
  const other = address('192.0.2.2');
  const cases: [string, Partial<ListenQuestion>, Partial<HandedSocket>, boolean][] = [
    ['both families', {}, {}, true],
    ['both families, of which one is up', { both: false, address: address('0.0.0.0') }, {}, true],
    ['one address', { both: false, address: other }, { address: other }, true],
    ['any of one family', { both: false, address: ANY }, { address: ANY }, true],
    ['one interface', { link: 7 }, { link: 7 }, true],
    ['another port', { port: 81 }, {}, false],
    ['another protocol', { protocol: 'udp' }, {}, false],
    ['another interface', {}, { link: 7 }, false],
    ['both families of a socket of one', {}, { address: ANY }, false],
    ['an address of a socket of all', { both: false, address: other }, {}, false],
    ['another address', { both: false, address: other }, { address: address('192.0.2.3') }, false],
  ];
  for (const [what, changed, socket, given] of cases)
    it(`gives ${given ? 'the socket' : 'no socket'} to who asks for ${what}`, () => {
      asked.length = 0;
      const handed = new HandedOpener(opener, [{ ...WEB, descriptor: 5, ...socket }]);
      handed.postListener({ ...question, ...changed });
      expect(handed.collectListener('tcp').descriptor).to.equal(given ? 5 : 99);
      expect(asked).to.have.length(given ? 0 : 1);
    });

  it('gives it once, and keeps the order of answers', () => {
    asked.length = 0;
    const handed = new HandedOpener(opener, [{ ...WEB, descriptor: 5 }]);
    for (const port of [79, 80, 80, 81]) handed.postListener({ ...question, port });
    expect([1, 2, 3, 4].map(() => handed.collectListener('tcp').descriptor)).to.deep.equal([99, 5, 99, 99]);
    expect(asked.map(({ port }) => port)).to.deep.equal([79, 80, 81]);
  });
});
