/**
 * Datagrams and echo requests larger than the guest's MTU, with a real kernel on both sides: they get there whole and come back whole,
 * and no packet of the guest's link is larger than its MTU.
 */
import { expect } from 'chai';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { check, start } from '../support/processes.ts';
import { makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 6000;
const ETHERNET = 14;
/** Size of the ping after which a capture is over. */
const LAST = 77;
/** What tshark says of a checksum that is wrong. */
const BAD = '0';

for (const mtu of [1280, 1500, 65_520]) {
  describe(`larger than the MTU of ${mtu}`, function () {
    this.timeout(60_000);
    let topology: Topology;
    let translator: Translator;
    let guest: Endpoint;
    let far: Endpoint;

    before(async () => {
      topology = makeTopology();
      translator = await startTranslator('ravioli', topology, { mtu });
      guest = await startEndpoint({ namespace: translator.guest });
      far = await startEndpoint({ namespace: topology.far });
    });

    after(async () => {
      for (const endpoint of [guest, far]) await endpoint?.stop();
      await translator?.stop();
      topology?.remove();
    });

    for (const [family, target, any, largest] of [
      ['IPv4', TARGET4, '0.0.0.0', 65_507],
      ['IPv6', TARGET6, '::', 65_527],
    ] as const) {
      it(`datagrams of up to ${largest} bytes both ways over ${family}`, async () => {
        const server = await far.open(target, PORT);
        const client = await guest.open(any);
        for (const size of [mtu - 48, mtu - 47, mtu - 28, mtu - 27, 9000, 60_000, largest - 1, largest]) {
          if (size > largest) continue;
          client.send(target, PORT, size);
          const there = await server.message();
          expect(there).to.include({ size, good: true });
          server.send(there.from as string, there.port as number, size);
          expect(await client.message()).to.include({ size, good: true, from: target, port: PORT });
        }
        server.close();
        client.close();
      });

      it(`ping -s 65000 over ${family}`, async () => {
        const words = ['ping', '-n', '-c', '3', '-i', '0.2', '-W', '5', '-s', '65000', target];
        expect(await check(words, { namespace: translator.guest })).to.match(/3 packets transmitted, 3 received, 0% packet loss/);
      });
    }

    it('no packet on the link is larger, and every checksum in them is right', async () => {
      const fields = ['frame.len', 'ip.checksum.status', 'icmp.checksum.status', 'icmpv6.checksum.status'].flatMap((field) => [
        '-e',
        field,
      ]);
      const words = ['tshark', '-n', '-l', '-i', 'eth0', '-o', 'ip.check_checksum:TRUE', '-T', 'fields', '-E', 'separator=,', ...fields];
      const watch = start(words, { namespace: translator.guest, user: 0 });
      await watch.waitFor(/Capture started/);
      const ping = (target: string, size: number): Promise<string> =>
        check(['ping', '-n', '-c', '1', '-W', '5', '-s', String(size), target], { namespace: translator.guest });
      for (const target of [TARGET4, TARGET6]) await ping(target, 60_000);
      await ping(TARGET4, LAST);
      await watch.waitFor(new RegExp(`(^${ETHERNET + 28 + LAST},.*\\n[^]*){2}`, 'm'));
      await watch.stop();
      const packets = [...watch.stdout().matchAll(/^(\d+),(.*)$/gm)].map(([, length, statuses]) => ({ length: Number(length), statuses }));
      // Two requests and two replies.
      expect(packets).to.have.length.above(4 * (60_000 / mtu));
      expect(packets.filter(({ length }) => length > mtu + ETHERNET)).to.deep.equal([]);
      expect(packets.filter(({ statuses }) => statuses?.split(',').some((status) => status === BAD))).to.deep.equal([]);
    });
  });
}
