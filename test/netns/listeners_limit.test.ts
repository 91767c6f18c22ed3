/**
 * Services that begin to listen while flows hold nearly all of the worker's descriptors.
 */
import { expect } from 'chai';
import { RESERVED_DESCRIPTORS } from '../../shared/limits.ts';
import { failure } from '../support/connections.ts';
import { type Endpoint, startEndpoint } from '../support/endpoint.ts';
import { loadCommand, LOAD_PORT, serve } from '../support/load.ts';
import { check, start } from '../support/processes.ts';
import { HOST4, makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

/** Descriptors for flows and listeners. */
const ROOM = 400;
const FLOWS = 390;
const SERVICES = 120;
const FIRST = 6500;
const PORTS = `${FIRST}-${FIRST + 199},auto`;

describe('services while flows hold the descriptors', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let far: Endpoint;

  before(async () => {
    topology = makeTopology();
    await serve(topology.far, TARGET4);
    const options = ['-d', '-t', PORTS, '-u', 'none', '-T', 'none', '-U', 'none'];
    translator = await startTranslator('ravioli', topology, { options, descriptors: ROOM + RESERVED_DESCRIPTORS });
    // Flows shall not have the ports of the services.
    const range = `echo ${FIRST + 200} 65535 > /proc/sys/net/ipv4/ip_local_port_range`;
    for (const namespace of [topology.host, translator.guest]) await check(['sh', '-c', range], { namespace, user: 0 });
    guest = await startEndpoint({ namespace: translator.guest });
    far = await startEndpoint({ namespace: topology.far });
  });

  after(async () => {
    for (const endpoint of [guest, far]) await endpoint?.stop();
    await translator?.stop();
    topology?.remove();
  });

  /** Ports that are forwarded now. */
  async function open(): Promise<number> {
    const text = await check(['ss', '-Hltn', `sport >= ${FIRST} and sport < ${FIRST + 200}`], { namespace: topology.host });
    return text.split('\n').length - 1;
  }

  it('are forwarded as far as there is room, all of them later, and no flow is hurt', async () => {
    const holder = start(loadCommand('hold', TARGET4, LOAD_PORT, FLOWS), { namespace: translator.guest, user: 0, timeout: 60_000 });
    const everyFlow = `\\{"open":${FLOWS},"echoed":${FLOWS}.*\n`;
    await holder.waitFor(new RegExp(everyFlow), 30_000);
    for (let port = FIRST; port < FIRST + SERVICES; port++) await guest.listen('0.0.0.0', port);
    await translator.waitFor(/can't listen on TCP port \d+ \(too many open files\); the limit on open files is reached/);
    expect(await open()).to.be.within(1, ROOM - FLOWS);
    holder.child.stdin?.write('again\n');
    await holder.waitFor(new RegExp(`(?:${everyFlow}){2}`));
    expect(await failure(guest.connect(TARGET4, LOAD_PORT)), 'one flow too many').to.match(/ECONNREFUSED/);

    await holder.stop();
    while ((await open()) < SERVICES);
    await far.connect(HOST4, FIRST + SERVICES - 1);
    const told = translator.log().match(/can't listen on/g)?.length ?? 0;
    expect(told, 'lines, one for each port that has to wait').to.be.at.most(SERVICES);
  });
});
