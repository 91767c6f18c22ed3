/**
 * The product under kernels that have less than this machine's: Debian 12's 6.1 has no SO_PEEK_OFF for TCP and no USO on taps.
 * Everything must work there; the throughput (emulated, so only good for comparing with a peer in the same guest) is printed.
 */
import { expect } from 'chai';
import { runGuest } from '../support/guest.ts';
import { LOAD_PORT, loadCommand, loadResult, serveCommand } from '../support/load.ts';
import { TARGET4, TARGET6 } from '../support/topology.ts';
import { PRODUCT } from '../support/translator.ts';

const LOADS: [string, ...(string | number)[]][] = [
  ['out', TARGET4, LOAD_PORT, 1],
  ['in', TARGET4, LOAD_PORT, 1],
  ['out', TARGET6, LOAD_PORT, 1],
  ['in', TARGET6, LOAD_PORT, 1],
  ['rr', TARGET4, LOAD_PORT, 1],
  ['crr', TARGET6, LOAD_PORT, 1],
  ['udp-rr', TARGET4, LOAD_PORT, 1],
  ['udp-in', TARGET6, LOAD_PORT, 1, 1400, 500],
  ['udp-out', TARGET4, LOAD_PORT, 1, 1400, 500],
];

const ROOT = `${[TARGET4, TARGET6].map((address) => `ip netns exec far ${serveCommand(address).join(' ')} > /tmp/ready.${address} &`).join('\n')}
until grep -q ready /tmp/ready.${TARGET4} && grep -q ready /tmp/ready.${TARGET6}; do sleep 0.1; done`;

const INNER = `ping -4 -n -q -c 2 -W 5 ${TARGET4} && ping -6 -n -q -c 2 -W 5 ${TARGET6}
${LOADS.map((words) => `echo; timeout 30 ${loadCommand(...words).join(' ')}`).join('\n')}
exit 7`;

describe('other kernels', function () {
  this.timeout(180_000);

  // 6.12 lies between Debian 12's and this machine's: SO_PEEK_OFF for TCP appeared in 6.9.
  for (const series of ['6.1', '6.12']) {
    it(`moves every kind of traffic under Linux ${series}`, async () => {
      const result = await runGuest(`${PRODUCT} --config-net -- sh ./inner`, { inner: INNER }, { series, root: ROOT, timeout: 170_000 });
      expect(result.output).to.match(/(2 packets transmitted, 2 received, 0% packet loss[\s\S]*){2}/);
      const lines = result.output.split('\n').filter((line) => line.startsWith('{'));
      expect(lines, result.output).to.have.length(LOADS.length);
      const figures = lines.map((stdout, index) => {
        const figure = loadResult({ code: 0, stdout, stderr: '', timedOut: false });
        const kind = LOADS[index]?.[0] as string;
        if (figure.gbit !== undefined) expect(figure.gbit, kind).to.be.above(0);
        if (figure.count !== undefined) expect(figure.count, kind).to.be.above(0);
        if (figure.sent !== undefined) expect(figure.received, kind).to.be.above((figure.sent as number) * 0.9);
        return `${kind} ${figure.gbit === undefined ? `${figure.rate}/s` : `${figure.gbit} Gbit/s`}`;
      });
      expect(result.code, result.output).to.equal(7);
      process.stdout.write(`      booted in ${result.booted} s; ${figures.join(', ')}\n`);
    });
  }
});
