/** `ravioli forward`: its words, what they make of the rules, and how rules are shown. */
import { expect } from 'chai';
import type { ShownTable } from '../../../supervisor/control/codec.ts';
import { changeTables, type ForwardCommand, parseForward } from '../../../supervisor/control/forward.ts';
import { listAsJson, listForPeople } from '../../../supervisor/control/listing.ts';
import { describeRule } from '../../../supervisor/forwarding/rule.ts';
import { UsageError } from '../../../supervisor/usage-error.ts';
import { ALL } from './control_bench.ts';

const EPHEMERAL = { first: 32_768, last: 60_999 };
const EMPTY: readonly ShownTable[] = [
  { id: 1, name: 'HOST', enabled: ALL, rules: [] },
  { id: 3, name: 'SPLICE', enabled: ALL, rules: [] },
];

function parse(line: string): ForwardCommand {
  return parseForward(line.split(' ').filter((word) => word !== ''));
}

/** The rules after several commands, from nothing. */
function after(tables: readonly ShownTable[], ...lines: string[]): readonly ShownTable[] {
  let now = tables;
  for (const line of lines) {
    const { action, specs } = parse(line);
    now = changeTables(now, action as 'add' | 'del', specs, EPHEMERAL);
  }
  return now;
}

function shown(tables: readonly ShownTable[]): string[] {
  return tables.flatMap(({ rules }) => rules.map(describeRule));
}

describe('supervisor/control/forward', () => {
  for (const [line, expected] of [
    ['list', { action: 'list', path: null, pid: null, json: false }],
    ['list --json --path /run/a', { action: 'list', path: '/run/a', json: true }],
    ['--json list', { action: 'list', json: true }],
    ['list --pid 12', { action: 'list', pid: 12 }],
    ['add -t 80 -u 53 --path=x', { action: 'add', path: 'x' }],
    ['-t 80 del', { action: 'del' }],
    ['--help', { action: 'help' }],
    ['add -h', { action: 'help' }],
  ] as const)
    it(`understands '${line}'`, () => {
      expect(parse(line)).to.include(expected);
    });

  for (const [line, complaint] of [
    ['', "what to do is missing; give 'list', 'add' or 'del', or --help"],
    ['remove -t 80', "'remove' is nothing to do; give 'list', 'add' or 'del', or --help"],
    ['add', "'add' needs ports; give -t, -u, -T or -U"],
    ['list -t 80', "'list' shows all rules; leave -t, -u, -T and -U out"],
    ['add 80', "'80' is one word too many; give ports behind -t, -u, -T or -U"],
    ['add -t 80 --path a --pid 1', '--path and --pid both name the run; leave one out'],
    ['list --pid x', "--pid 'x': is no process ID; give that of pasta"],
    ['list --pid 0', "--pid '0': is no process ID; give that of pasta"],
    ['add -t 80x', "--tcp-ports '80x': '80x' is not a port; give ports like 80, 8000-8010 or 8080:80"],
    ['list --port', "unrecognized option '--port'"],
  ] as const)
    it(`refuses '${line}'`, () => {
      expect(() => parse(line)).to.throw(UsageError, complaint);
    });

  it('adds behind what is there, and takes away what was added', () => {
    const added = after(EMPTY, 'add -t 8080:80 -T 9000', 'add -u 192.0.2.1/53:10.0.0.1/5353 -t [::1]/443');
    const all = ['TCP [*]:8080 => 80', 'UDP [192.0.2.1]:53 => 10.0.0.1:5353', 'TCP [::1]:443 => 443', 'TCP [*]%lo:9000 => 9000'];
    expect(shown(added)).to.deep.equal(all);
    expect(shown(after(added, 'del -t 8080:80 -t [::1]/443'))).to.deep.equal([all[1], all[3]]);
    expect(shown(added)).to.deep.equal(all);
  });

  it('all ports but the ephemeral ones can be added and taken away', () => {
    const added = after(EMPTY, 'add -t all');
    expect(shown(added)).to.deep.equal(['TCP [*]:1-32767 => 1-32767 (best effort)', 'TCP [*]:61000-65535 => 61000-65535 (best effort)']);
    expect(shown(after(added, 'del -t all'))).to.deep.equal([]);
  });

  for (const [what, lines, complaint] of [
    [
      'adds the same again',
      ['add -t 80', 'add -t 80'],
      "--tcp-ports '80': conflicts with TCP [*]:80 => 80, which forwards port 80 as well",
    ],
    ['takes away what is not there', ['del -u 80'], "--udp-ports '80': there is no rule UDP [*]:80 => 80; 'ravioli forward list' shows"],
    ['takes away a part', ['add -t 80-90', 'del -t 80'], 'there is no rule TCP [*]:80 => 80'],
  ] as const)
    it(`refuses one that ${what}`, () => {
      expect(() => after(EMPTY, ...lines)).to.throw(UsageError, complaint);
    });

  it('asks a run only for what it has', () => {
    const one = [{ id: 1, name: 'HOST', enabled: { ...ALL, ipv6: false, udp: false }, rules: [] }];
    expect(shown(after(one, 'add -t 80'))).to.deep.equal(['TCP [0.0.0.0]:80 => 80']);
    expect(() => after(one, 'add -u 80')).to.throw(UsageError, 'UDP is switched off');
    expect(() => after(one, 'add -T 80')).to.throw(UsageError, "--tcp-ns '80': this run has no such ports; leave the option out");
  });
});

describe('supervisor/control/listing', () => {
  const rules = after(
    EMPTY,
    'add -t 8080-8081:80-81,9000,auto -u 192.0.2.1%eth0/53:10.0.0.1/5353 -t [::1]/443:[fd00::1]/443 -U 123',
  ).flatMap((table) => [...table.rules]);

  it('shows people a table for each run', () => {
    expect(
      listForPeople([
        { path: '/run/user/1000/ravioli/12.sock', pid: 12, rules },
        { path: '/tmp/c', pid: null, rules: [] },
      ]),
    ).to.equal(`process 12 (/run/user/1000/ravioli/12.sock)
  PROTOCOL  LISTENS                 LEADS TO             NOTES
  TCP       host *:8080-8081        guest ports 80-81    auto
  TCP       host *:9000             guest port 9000      auto
  UDP       host 192.0.2.1%eth0:53  guest 10.0.0.1:5353
  TCP       host [::1]:443          guest [fd00::1]:443
  UDP       guest *%lo:123          host port 123

/tmp/c
  nothing is forwarded
`);
  });

  it('gives programs JSON', () => {
    const [run] = JSON.parse(listAsJson([{ path: '/tmp/c', pid: 12, rules }]));
    expect(run).to.include({ path: '/tmp/c', pid: 12 });
    expect(run.rules[0]).to.deep.equal({
      protocol: 'tcp',
      side: 'host',
      address: null,
      interface: null,
      first: 8080,
      last: 8081,
      target: null,
      targetFirst: 80,
      weak: false,
      scan: true,
    });
    expect(run.rules[2]).to.include({ protocol: 'udp', address: '192.0.2.1', interface: 'eth0', target: '10.0.0.1', targetFirst: 5353 });
    expect(JSON.parse(listAsJson([]))).to.deep.equal([]);
  });
});
