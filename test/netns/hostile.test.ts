/**
 * A guest that means ill, between real kernels: what it sends malformed moves counters and nothing else, a flood of it or of new flows
 * leaves the others served, and memory and descriptors as they were.
 */
import { expect } from 'chai';
import { type Endpoint, type Socket, startEndpoint } from '../support/endpoint.ts';
import { fragment } from '../support/fragments.ts';
import { buildDatagram, buildEcho, type Ends, withChecksum } from '../support/guest_frame.ts';
import { ADDRESSES, type Case, ERRORS, HEADERS, LENGTHS } from '../support/hostile_cases.ts';
import { hostileQuestion, Random } from '../support/frame_mutation.ts';
import { check, run, start } from '../support/processes.ts';
import { residentBytes } from '../support/processtable.ts';
import { countersOf, countOnTheWire, sendFrames } from '../support/raw_frames.ts';
import { GATEWAY4, HOST4, HOST6, makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';
import { pattern } from '../support/tcp_dialogue.ts';
import { ENDS4, ENDS6 } from '../support/workbench.ts';

const PORT = 6300;
const DESCRIPTORS = 1024;
const TRANSFER = 20_000_000;
/** What a room may hold more after a flood than before: V8's code and garbage. */
const MARGIN = 12_000_000;
const STORM = 20_000;
/** Packets that come in broken fragments, more than are put together at the same time. */
const FRAGMENTS = 400;
/** Where echo requests and datagrams go to be lost. */
const NOWHERE = { ...ENDS4, far: Uint8Array.of(203, 0, 113, 200) };
const CLOSED = { ...ENDS4, far: Uint8Array.from(TARGET4.split('.').map(Number)) };
const QUESTIONS = 2000;
const NO_CHECKSUM = 6;
const UDP = 10 + 14 + 20;

/** All that a packet socket can send, without what is only wrong where we have another link-local address. */
const CASES: readonly Case[] = [...LENGTHS, ...HEADERS, ...ADDRESSES, ...ERRORS].filter(([, what]) => what !== 'from us');
const FRAMES = CASES.flatMap(([, , frames]) => frames);

/** What the host sends of itself: neither what neighbours tell each other nor reports. */
const OF_THE_HOST = `(src host ${HOST4} and ip) or (src host ${HOST6} and ip6[6] != 0 and not (ip6[6] = 58 and ip6[40] >= 130))`;

describe('hostile guests', function () {
  this.timeout(120_000);
  let topology: Topology;
  let translator: Translator;
  let guest: Endpoint;
  let far: Endpoint;
  let ports = PORT;

  before(async () => {
    topology = makeTopology();
    await check(['ip', '-n', topology.far, 'route', 'add', 'blackhole', '203.0.113.0/24'], { user: 0 });
    far = await startEndpoint({ namespace: topology.far });
  });

  beforeEach(async () => {
    translator = await startTranslator('ravioli', topology, { descriptors: DESCRIPTORS });
    guest = await startEndpoint({ namespace: translator.guest });
  });

  afterEach(async () => {
    await guest?.stop();
    await translator?.stop();
  });

  after(async () => {
    await far?.stop();
    topology?.remove();
  });

  async function connection(): Promise<{ near: Socket; distant: Socket }> {
    const listener = await far.listen(TARGET4, ports);
    const near = await guest.connect(TARGET4, ports++);
    const distant = await listener.accept();
    distant.resume();
    return { near, distant };
  }

  /** A connection carries data both ways while the guest floods; then the flood ends. How many milliseconds it has lasted. */
  async function transferDuring(frames: readonly Uint8Array[], times: number): Promise<number> {
    const { near, distant } = await connection();
    near.resume();
    const began = Date.now();
    const flood = await sendFrames(translator, frames, times);
    await Promise.all([near.send(TRANSFER, 60_000), distant.send(TRANSFER, 60_000)]);
    await Promise.all([near.received(TRANSFER, 60_000), distant.received(TRANSFER, 60_000)]);
    expect((await flood.finished).stderr).to.equal('');
    near.reset();
    return Date.now() - began;
  }

  /** The guest sends all of it, and the worker has taken it. */
  async function flood(frames: readonly Uint8Array[], times: number): Promise<void> {
    expect((await (await sendFrames(translator, frames, times)).finished).stderr).to.equal('');
    // Answered by the worker itself, when it has taken what came before.
    await check(['busybox', 'arping', '-f', '-w', '20', '-I', 'eth0', GATEWAY4], { namespace: translator.guest, user: 0 });
  }

  it('each malformed frame moves a counter, and the host sends nothing', async () => {
    const sniffer = start(['tshark', '-n', '-l', '-i', 'eth0', '-f', OF_THE_HOST], { namespace: topology.host, user: 0 });
    await sniffer.waitFor(/Capture started/);
    const before = await countersOf(translator);
    await flood(FRAMES, 3);
    const silent = await guest.open('0.0.0.0');
    const server = await far.open(TARGET4, ports);
    silent.send(TARGET4, ports++, 77);
    await server.message();
    const after = await countersOf(translator);
    const expected = new Map<string, number>();
    for (const [counter, , frames] of CASES) expected.set(counter, (expected.get(counter) ?? 0) + 3 * countOnTheWire(frames));
    // The guest's own kernel looks for routers.
    for (const [counter, count] of expected)
      expect(after(counter) - before(counter), counter).to.be.within(count, counter === 'frames_not_served' ? count + 10 : count);
    expect(after('flows')).to.equal(1);
    await sniffer.waitFor(/Len=77/);
    await sniffer.stop();
    expect(sniffer.stdout().trim().split('\n'), 'packets of the host').to.have.length(1);
  });

  it('a flood of malformed frames leaves a connection served, and memory flat', async () => {
    await flood(FRAMES, 100);
    const memory = residentBytes(translator.pids());
    const before = await countersOf(translator);
    await flood(FRAMES, 1000);
    expect(residentBytes(translator.pids()) - memory, 'memory that has grown').to.be.below(MARGIN);
    await transferDuring(FRAMES, 1000);
    const after = await countersOf(translator);
    expect(after('frames_malformed') - before('frames_malformed')).to.be.above(1000);
    expect(after('udp_flows_opened') + after('ping_flows_opened')).to.equal(0);
  });

  it('questions to our own services, spoiled or not, go nowhere, are told of in few lines, and leave memory flat and an honest client served', async () => {
    const seed = Date.now();
    const random = new Random(seed);
    const questions = Array.from({ length: QUESTIONS }, () => hostileQuestion(random));
    const sniffer = start(['tshark', '-n', '-l', '-i', 'eth0', '-f', OF_THE_HOST], { namespace: topology.host, user: 0 });
    await sniffer.waitFor(/Capture started/);
    const began = Date.now();
    await flood(questions, 2);
    const memory = residentBytes(translator.pids());
    await flood(questions, 10);
    expect(residentBytes(translator.pids()) - memory, 'memory that has grown').to.be.below(MARGIN);
    const counter = await countersOf(translator);
    // The tap's queue drops what comes too fast.
    for (const name of ['dhcp_answered', 'dhcpv6_answered', 'ndp_answered', 'arp_answered']) expect(counter(name), name).to.be.above(0);
    expect(counter('flows'), `flows, seed ${seed}`).to.equal(0);
    expect(translator.log().match(/DHCP/g) ?? [], 'lines').to.have.length.below(20 + (Date.now() - began) / 500);
    const lease = ['busybox', 'udhcpc', '-f', '-q', '-n', '-i', 'eth0', '-s', '/bin/true'];
    expect((await run(lease, { namespace: translator.guest, user: 0 })).stderr).to.match(/lease of 192\.0\.2\.2 obtained/);
    const honest = await guest.open('0.0.0.0');
    honest.send(TARGET4, ports++, 77);
    await sniffer.waitFor(/Len=77/);
    await sniffer.stop();
    expect(sniffer.stdout().trim().split('\n'), 'packets of the host').to.have.length(1);
  });

  /** Fragments of a datagram of which the first comes alone, or contradicts the second, or which reach beyond what a packet can hold. */
  const brokenFragments = (ends: Ends): Uint8Array[] => {
    const whole = withChecksum(buildDatagram(ends, 4000, 9, pattern(2000)), ends);
    return Array.from({ length: FRAGMENTS }, (_, id) => [
      fragment(whole, { offset: 0, end: 1000, more: true }, { id }),
      fragment(whole, { offset: 504, end: 1504, more: true, bytes: pattern(1000, 7) }, { id: id + (id % 2) * FRAGMENTS }),
      fragment(whole, { offset: 65_528, end: 66_528, more: false, bytes: pattern(1000) }, { id }),
    ]).flat();
  };

  it('fragments that overlap, never complete or reach too far go nowhere, and memory has a bound', async () => {
    const sniffer = start(['tshark', '-n', '-l', '-i', 'eth0', '-f', OF_THE_HOST], { namespace: topology.host, user: 0 });
    await sniffer.waitFor(/Capture started/);
    const frames = [...brokenFragments(ENDS4), ...brokenFragments(ENDS6)];
    await flood(frames, 1);
    const memory = residentBytes(translator.pids());
    const before = await countersOf(translator);
    await flood(frames, 20);
    const after = await countersOf(translator);
    const grown = (name: string): number => after(name) - before(name);
    for (const counter of ['frames_fragment', 'fragments_malformed', 'fragments_overlapping', 'reassemblies_evicted'])
      expect(grown(counter), counter).to.be.above(100);
    expect(grown('datagrams_reassembled')).to.equal(0);
    expect(after('flows')).to.equal(0);
    expect(residentBytes(translator.pids()) - memory, 'memory that has grown').to.be.below(MARGIN);
    const honest = await guest.open('0.0.0.0');
    honest.send(TARGET4, ports++, 77);
    await sniffer.waitFor(/Len=77/);
    await sniffer.stop();
    expect(sniffer.stdout().trim().split('\n'), 'packets of the host').to.have.length(1);
  });

  /** Frames that begin STORM flows, each another; `again`: once more with others. */
  const datagrams = (ends: Ends, from: number): Uint8Array[] =>
    Array.from({ length: STORM }, (_, at) => {
      const frame = buildDatagram(ends, from, 20_000 + at, new Uint8Array(4));
      frame.fill(0, 0, 10);
      frame.fill(0, UDP + NO_CHECKSUM, UDP + NO_CHECKSUM + 2);
      return frame;
    });
  const toClosedPorts = (again: number): Uint8Array[] => datagrams(CLOSED, 2000 + again);
  const toUnreachable = (): Uint8Array[] => datagrams(NOWHERE, 2000);
  const toNowhere = (again: number): Uint8Array[] =>
    Array.from({ length: STORM }, (_, at) => buildEcho({ ...NOWHERE, far: Uint8Array.of(203, 0, 113, again) }, at, 1, new Uint8Array(8)));

  for (const [what, storm, kind] of [
    ['datagrams to closed ports', toClosedPorts, 'udp'],
    ['echo requests that nobody answers', toNowhere, 'ping'],
  ] as const) {
    it(`a storm of ${what}, each a new flow, makes the oldest go and leaves a connection served, and memory flat`, async () => {
      await flood(storm(1), 1);
      const memory = residentBytes(translator.pids());
      const before = await countersOf(translator);
      await flood(storm(2), 1);
      expect(residentBytes(translator.pids()) - memory, 'memory that has grown').to.be.below(MARGIN);
      const milliseconds = await transferDuring(storm(3), 1);
      const after = await countersOf(translator);
      const grown = (name: string): number => after(name) - before(name);
      // The tap's queue drops what comes too fast.
      expect(grown(`${kind}_flows_opened`)).to.be.above(DESCRIPTORS);
      expect(grown(`${kind}_flows_opened`) - grown(`${kind}_flows_ended`)).to.be.at.most(DESCRIPTORS);
      expect(grown('flows_displaced')).to.be.above(0);
      expect(after('flows')).to.be.at.most(DESCRIPTORS);
      expect(translator.log().split('the limit is').length - 1, 'lines about the limit').to.be.at.most(1 + milliseconds / 5000);
      await check(['ping', '-c', '1', '-W', '5', TARGET4], { namespace: translator.guest });
    });
  }

  it('a storm of datagrams to where no route leads is told of at a limited rate, and leaves no flow', async () => {
    await check(['ip', '-n', topology.host, 'route', 'replace', 'unreachable', '203.0.113.0/24'], { user: 0 });
    const milliseconds = await transferDuring(toUnreachable(), 5);
    const counter = await countersOf(translator);
    expect(counter('icmp_errors_suppressed')).to.be.above(0);
    expect(counter('icmp_errors_to_guest')).to.be.within(50, milliseconds + 100);
    expect(counter('udp_flows_opened')).to.be.above(0).and.equal(counter('udp_flows_ended'));
    expect(counter('flows_displaced')).to.equal(0);
  });
});
