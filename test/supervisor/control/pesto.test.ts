/** The packaged pesto, and ours, as clients of our control socket: everything that they can ask for, with the same result. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { describeRule } from '../../../supervisor/forwarding/rule.ts';
import { ControlBench } from './control_bench.ts';

/** What differs: how failures are told, and whether a refusal is known of. */
const PROGRAMS = [
  {
    name: 'the packaged pesto',
    path: '/opt/peer/bin/pesto',
    conflict: 'Forwarding configuration conflict: TCP [*]:1000',
    absent: "Couldn't find forwarding rule to delete: TCP [*]:999",
    codeOfRefusal: 0,
  },
  {
    name: 'our pesto',
    path: fileURLToPath(new URL('../../../bin/pesto', import.meta.url)),
    conflict: "pesto: --tcp-ports '1000': conflicts with TCP [*]:1000 => 1000",
    absent: "pesto: --tcp-ports '999': there is no rule TCP [*]:999 => 999",
    codeOfRefusal: 1,
  },
] as const;

interface Ended {
  readonly code: number;
  readonly output: string;
}

for (const program of PROGRAMS)
  describe(`supervisor/control, with ${program.name}`, function () {
    this.timeout(30_000);
    let bench: ControlBench;

    /** Runs pesto, and waits until what it asked for is in force. */
    async function pesto(...words: string[]): Promise<Ended> {
      const child = spawn(program.path, [...words, bench.path], { stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
      const [code] = (await once(child, 'close')) as [number];
      // The next client is served when this one's rules are in force.
      const next = bench.connect();
      await once(next.socket, 'data');
      next.socket.destroy();
      return { code, output };
    }

    before(function () {
      // The peer's program is no package of ours.
      if (!existsSync(program.path)) this.skip();
    });

    beforeEach(() => {
      bench = new ControlBench();
    });

    afterEach(() => bench?.close());

    it('tells its version, as rootlesskit asks', () => {
      expect(execFileSync(program.path, ['--version'], { encoding: 'utf8' })).to.match(/^pesto [0-9]/);
    });

    it('shows the tables', async () => {
      await pesto('-A', '-t', '5000-5001,6000:7000', '-u', '127.0.0.1/53:[::ffff:192.0.2.9]/5353', '-T', '9999', '-U', 'none');
      const { code, output } = await pesto();
      expect(code, output).to.equal(0);
      const lines = output.split('\n').map((line) => line.trim().replaceAll('  ', ' '));
      expect(lines.slice(1)).to.deep.equal([
        'HOST',
        'TCP [*]:5000-5001 => 5000-5001',
        'TCP [*]:6000 => 7000',
        'UDP [127.0.0.1]:53 => 192.0.2.9:5353',
        'SPLICE',
        'TCP [*]%lo:9999 => 9999',
        '',
      ]);
      expect(bench.shown()).to.deep.equal(lines.filter((line) => / => /.test(line)));
    });

    it('adds what Podman and rootlesskit ask for, and takes away the same', async () => {
      bench.table = { host: [], guest: [] };
      const asked = [
        ['-t', '0.0.0.0/8080:10.89.0.2/80', '-t', '[::]/8080:fd00::2/80'],
        ['--tcp-ports=0.0.0.0/8081:80'],
        ['--tcp-ports=::/8082:80'],
        ['-u', '192.0.2.1%eth0/7000-7010:10.89.0.2/6000-6010'],
      ];
      for (const words of asked) expect(await pesto('--add', ...words)).to.deep.equal({ code: 0, output: '' });
      expect(bench.shown()).to.deep.equal([
        'TCP [0.0.0.0]:8080 => 10.89.0.2:80',
        'TCP [::]:8080 => [fd00::2]:80',
        'TCP [0.0.0.0]:8081 => 80',
        'TCP [::]:8082 => 80',
        'UDP [192.0.2.1]%eth0:7000-7010 => 10.89.0.2:6000-6010',
      ]);
      for (const words of asked) expect(await pesto('--delete', ...words)).to.deep.equal({ code: 0, output: '' });
      expect(bench.shown()).to.deep.equal([]);
    });

    it('replaces a table when it is told neither to add nor to delete, and leaves the other', async () => {
      await pesto('-A', '-t', '1000', '-u', '1000', '-T', '2000');
      expect((await pesto('-t', '1024')).code).to.equal(0);
      expect(bench.shown()).to.deep.equal(['TCP [*]:1024 => 1024', 'TCP [*]%lo:2000 => 2000']);
      await pesto('-t', '1025', '-u', '1026', '-A', '-t', '1027');
      expect(bench.shown()).to.deep.equal([
        'TCP [*]:1025 => 1025',
        'UDP [*]:1026 => 1026',
        'TCP [*]:1027 => 1027',
        'TCP [*]%lo:2000 => 2000',
      ]);
      expect((await pesto('-T', 'none', '-A', '-t', 'none')).code).to.equal(1);
      expect((await pesto('-T', 'none')).code).to.equal(0);
      expect(bench.shown()).to.have.length(3);
      await pesto('-u', 'none');
      expect(bench.shown()).to.deep.equal([]);
    });

    it('clears a table, and does several things at once', async () => {
      await pesto('-A', '-t', '1000,1001', '-T', '2000');
      expect(await pesto('-A', '-u', '3000', '-D', '-t', '1000', '-C', 'SPLICE')).to.deep.equal({ code: 0, output: '' });
      expect(bench.shown()).to.deep.equal(['TCP [*]:1001 => 1001', 'UDP [*]:3000 => 3000']);
      await pesto('-C', 'HOST');
      expect(bench.shown()).to.deep.equal([]);
    });

    it('shows before and after', async () => {
      const { output } = await pesto('-s', '-A', '-t', '1000');
      expect(output.match(/^ *HOST$/gm)).to.have.length(2);
      expect(output.match(/^ *TCP /gm)).to.have.length(1);
    });

    it('can ask for all, and for what is used', async () => {
      expect((await pesto('-t', 'all')).code).to.equal(0);
      expect(bench.table.host.map((rule) => rule.weak)).to.include(true);
      expect((await pesto('-t', '8000-8010,auto')).code).to.equal(0);
      expect(bench.shown()).to.deep.equal(['TCP [*]:8000-8010 => 8000-8010 (auto-scan)']);
    });

    it('sees that a machine has no ports of the host', async () => {
      bench.enabled = { ...bench.enabled, scan: false };
      expect((await pesto()).output).not.to.contain('SPLICE');
      expect((await pesto('-A', '-t', '1000')).code).to.equal(0);
      expect((await pesto('-A', '-T', '1000')).code).to.equal(1);
      expect((await pesto('-A', '-t', '1001,auto')).code).to.equal(1);
      expect((await pesto('-C', 'SPLICE')).code).to.equal(1);
      expect(bench.shown()).to.deep.equal(['TCP [*]:1000 => 1000']);
    });

    it('is told of one family and one protocol', async () => {
      bench.enabled = { ...bench.enabled, ipv6: false, udp: false };
      await pesto('-A', '-t', '1000');
      expect(bench.shown()).to.deep.equal(['TCP [0.0.0.0]:1000 => 1000']);
      expect((await pesto('-A', '-u', '1000')).code).to.equal(1);
    });

    for (const [what, words, complaint] of [
      ['adds twice', ['-A', '-t', '1000'], program.conflict],
      ['deletes what is not there', ['-D', '-t', '999'], program.absent],
      ['adds what can not be', ['-A', '-t', '70000'], '70000'],
      ['takes away a part', ['-A', '-t', '2000-2001', '-D', '-t', '2000'], '2000'],
      ['names another table', ['-C', 'TAP'], 'TAP'],
    ] as const)
      it(`fails with status 1, and nothing changes, when somebody ${what}`, async () => {
        await pesto('-A', '-t', '1000');
        const { code, output } = await pesto(...words);
        expect(code, output).to.equal(1);
        expect(output).to.contain(complaint);
        expect(bench.shown()).to.deep.equal(['TCP [*]:1000 => 1000']);
      });

    it('has nothing changed when its rules are not taken, and the log says why', async () => {
      bench.refuse = async (table) => `${table.host.map(describeRule)}: permission denied`;
      expect((await pesto('-A', '-t', '80')).code).to.equal(program.codeOfRefusal);
      expect(bench.shown()).to.deep.equal([]);
      expect(await bench.logged(/warning/)).to.match(
        /forwarding rules of process \d+ are not taken, nothing has changed: TCP \[\*\]:80 => 80: permission denied/,
      );
    });

    it('many at once: each adds its port', async () => {
      const ports = Array.from({ length: 20 }, (_, index) => String(1000 + index));
      const ended = await Promise.all(ports.map((port) => pesto('-A', '-t', port)));
      expect(ended.map(({ code }) => code)).to.deep.equal(ports.map(() => 0));
      expect(bench.table.host.map(({ first }) => String(first)).sort()).to.deep.equal(ports);
    });
  });
