/**
 * A guest with more than one address, and more than one MAC: each address is answered where it has spoken, and a forwarded port may lead to
 * any of them; by a tap and behind passt's socket.
 */
import { expect } from 'chai';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { startEmptyNamespace } from '../support/machine.ts';
import { check, type Running } from '../support/processes.ts';
import { GATEWAY4, HOST4, HOST6, makeTopology, TARGET4, TARGET6, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

const PORT = 6700;
const BEHIND = 6710;
const FAMILIES = [
  { target: TARGET4, host: HOST4, any: '0.0.0.0', more: ['192.0.2.77', '10.20.30.40'], behind: '192.0.2.88' },
  { target: TARGET6, host: HOST6, any: '::', more: ['2001:db8::77', 'fd00:7::77'], behind: '2001:db8::88' },
] as const;
/** To the second address; and to the one behind the second MAC. */
const RULES = FAMILIES.flatMap(({ host, more, behind }) => {
  const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);
  return [
    '-t',
    `${bracketed(host)}/${PORT}:${bracketed(more[0])}/${PORT}`,
    '-t',
    `${bracketed(host)}/${BEHIND}:${bracketed(behind)}/${BEHIND}`,
  ];
});
const BYTES = 2_000_000;

for (const tool of ['ravioli', 'machine'] as const)
  describe(`a guest with several addresses (${tool})`, function () {
    this.timeout(60_000);
    let topology: Topology;
    let translator: Translator;
    let guest: Endpoint;
    let far: Endpoint;
    let second: Running;
    let other: Endpoint;

    before(async () => {
      topology = makeTopology();
      translator = await startTranslator(tool, topology, { options: [...RULES, '-t', '6720', '-T', 'none', '-U', 'none', '-u', 'none'] });
      const namespace = translator.guest;
      for (const address of FAMILIES[0].more) await check(['ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0'], { namespace, user: 0 });
      for (const address of FAMILIES[1].more)
        await check(['ip', 'addr', 'add', `${address}/64`, 'dev', 'eth0', 'nodad'], { namespace, user: 0 });
      guest = await startEndpoint({ namespace });
      far = await startEndpoint({ namespace: topology.far });
      second = await startEmptyNamespace();
    });

    after(async () => {
      for (const endpoint of [guest, far, other]) await endpoint?.stop();
      await second?.stop();
      await translator?.stop();
      topology?.remove();
    });

    for (const { target, host, any, more } of FAMILIES) {
      it(`is answered at each address that it asks from: ${more.join(', ')}`, async () => {
        const server = await far.open(target, PORT);
        const clients = await Promise.all([any, ...more].map((address) => guest.open(address)));
        for (const [index, client] of clients.entries()) {
          client.send(target, PORT, 10 + index);
          const { from, port, size } = await server.message();
          expect([from, size]).to.deep.equal([host, 10 + index]);
          server.send(from as string, port as number, 20 + index);
        }
        for (const [index, client] of clients.entries()) expect(await client.message()).to.include({ from: target, size: 20 + index });
        for (const socket of [server, ...clients]) socket.close();
      });

      it(`is reached at ${more[0]} by the port that leads there, whatever it has spoken from last`, async () => {
        const listener = await guest.listen(more[0], PORT);
        const speaker = await guest.open(more[1]);
        speaker.send(target, PORT, 1);
        const client = await far.connect(host, PORT);
        const accepted = await listener.accept();
        expect(accepted.from).to.equal(target);
        accepted.resume();
        await client.send(1000);
        await accepted.received(1000);
        client.reset();
        speaker.close();
        listener.close();
      });

      it(`keeps a connection at its address when it speaks from ${more[1]} meanwhile`, async () => {
        const listener = await guest.listen(any, 6720);
        const client = await far.connect(host, 6720);
        const accepted = await listener.accept();
        const speaker = await guest.open(more[1]);
        const server = await far.open(target, PORT);
        speaker.send(target, PORT, 1);
        await server.message();
        accepted.resume();
        client.resume();
        await Promise.all([client.send(BYTES), accepted.send(BYTES), accepted.received(BYTES), client.received(BYTES)]);
        client.reset();
        for (const socket of [speaker, server]) socket.close();
        listener.close();
      });
    }

    it('others behind it with a MAC of their own: both move data at the same time', async () => {
      const script = `ip link add link eth0 name other0 type macvlan mode bridge
ip link set other0 netns ${second.pid}
nsenter --net=/proc/${second.pid}/ns/net sh -ec '
ip link set other0 up
ip addr add 192.0.2.88/24 dev other0
ip -6 addr add 2001:db8::88/64 dev other0 nodad
ip route add default via ${GATEWAY4}
ip -6 route add default via 2001:db8::1 dev other0'`;
      await check(['sh', '-ec', script], { namespace: translator.guest, user: 0 });
      other = await startEndpoint({ namespace: second.pid });
      const connections = [];
      for (const { target, host, behind } of FAMILIES) {
        for (const station of [guest, other]) {
          const port = BEHIND + 20 + connections.length;
          const listener = await far.listen(target, port);
          const near = await station.connect(target, port);
          connections.push([near, await listener.accept()] as const);
        }
        const listener = await other.listen(behind, BEHIND);
        const client = await far.connect(host, BEHIND);
        connections.push([await listener.accept(), client] as const);
      }
      await Promise.all(
        connections.flatMap(([near, distant]) => {
          near.resume();
          distant.resume();
          return [near.send(BYTES), distant.send(BYTES), near.received(BYTES), distant.received(BYTES)];
        }),
      );
    });
  });
