/** `ravioli doctor` for real: where a run works, and in worlds that lack something. */
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Finished, run, UNPRIVILEGED } from '../support/processes.ts';
import { makeTopology, type Topology } from '../support/topology.ts';

const RAVIOLI = fileURLToPath(new URL('../../bin/ravioli', import.meta.url));

interface Report {
  readonly verdict: string;
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly found: string; readonly cure: string | null }[];
}

describe('ravioli doctor', function () {
  this.timeout(60_000);
  let topology: Topology;

  before(() => {
    topology = makeTopology();
  });
  after(() => topology?.remove());

  /** In a mount namespace where `preparation` was done. */
  function doctorWhere(preparation: string, ...words: string[]): Promise<Finished> {
    const user = `setpriv --reuid=${UNPRIVILEGED} --regid=${UNPRIVILEGED} --clear-groups`;
    const script = `${preparation}\nexec ${user} -- "$0" doctor "$@"`;
    return run(['unshare', '--mount', 'sh', '-ec', script, RAVIOLI, ...words], { namespace: topology.host, user: 0 });
  }

  async function reportWhere(preparation: string): Promise<{ code: number; report: Report; failed: string[] }> {
    const { code, stdout, stderr } = await doctorWhere(preparation, '--json');
    expect(stderr).to.equal('');
    const report = JSON.parse(stdout) as Report;
    return { code, report, failed: report.checks.filter(({ verdict }) => verdict === 'failure').map(({ name }) => name) };
  }

  it('finds no failure where runs work, as an ordinary user', async () => {
    const { code, report, failed } = await reportWhere(':');
    expect(failed).to.deep.equal([]);
    expect(code).to.equal(0);
    expect(report.checks.find(({ name }) => name === 'uplink')?.found).to.match(/^IPv4 by .*, IPv6 by /);
  });

  it('tells that /dev/net/tun is missing, what to do, and that nothing works; so does the trial', async () => {
    const { code, report, failed } = await reportWhere('mount -t tmpfs none /dev/net');
    expect(failed).to.deep.equal(['tun device', 'trial']);
    expect([code, report.verdict]).to.deep.equal([1, 'failure']);
    expect(report.checks.find(({ name }) => name === 'trial')?.found).to.include('/dev/net/tun is missing');
    const { code: status, stdout } = await doctorWhere('mount -t tmpfs none /dev/net');
    expect(stdout).to.match(/^failure +tun device +\/dev\/net\/tun is missing\n +> run 'modprobe tun' as root/m);
    expect(stdout).to.match(/\nIt does not work here\.\n$/);
    expect(status).to.equal(1);
  });

  it('tells of a limit that leaves no descriptors', async () => {
    const { failed } = await reportWhere('ulimit -n 200');
    expect(failed).to.deep.equal(['open files', 'trial']);
  });

  it('changes nothing and says so to words that it does not know', async () => {
    const { code, stderr } = await doctorWhere(':', '--fix');
    expect([code, stderr]).to.deep.equal([1, "ravioli: unrecognized option '--fix'\n"]);
  });
});
