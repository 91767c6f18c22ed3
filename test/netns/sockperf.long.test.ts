/**
 * sockperf (of IPv4 only) numbers its messages: each comes back once and in order, one at a time and thousands a second, whatever its size.
 */
import { expect } from 'chai';
import { check, start } from '../support/processes.ts';
import { makeTopology, TARGET4, type Topology } from '../support/topology.ts';
import { startTranslator, type Translator } from '../support/translator.ts';

/**
 * Sizes of messages, and how many a second: the least that it sends, one packet, several fragments, the most that a datagram carries. A
 * socket's buffer has room for two or three of the last and some ninety of those before, so they come slowly enough for an end that has to
 * wait for its turn.
 */
const MESSAGES = [
  [14, 1000],
  [1400, 500],
  [8000, 200],
  [65_507, 20],
] as const;

describe('sockperf', function () {
  this.timeout(60_000);
  let topology: Topology;
  let translator: Translator;

  before(async () => {
    topology = makeTopology();
    const server = start(['sockperf', 'server', '-i', TARGET4], { namespace: topology.far, timeout: 3_600_000 });
    await server.waitFor(/block on socket/);
    translator = await startTranslator('ravioli', topology);
  });
  after(async () => {
    await translator?.stop();
    topology?.remove();
  });

  for (const [size, rate] of MESSAGES) {
    for (const [kind, ...options] of [
      ['ping-pong', '--data-integrity'],
      ['under-load', '--reply-every=1', `--mps=${rate}`],
    ] as const) {
      it(`${kind} with ${size} bytes`, async () => {
        const words = ['sockperf', kind, ...options, '-i', TARGET4, '-m', String(size), '-t', '2'];
        const text = await check(words, { namespace: translator.guest });
        const [, messages] = /ReceivedMessages=(\d+)\n.*Printing/.exec(text) ?? [];
        const [, latency] = /Latency is +([\d.]+)/.exec(text) ?? [];
        console.log(`      ${messages} messages, ${latency} µs each way`);
        expect(Number(messages), text).to.be.above(0);
        expect(text).to.match(/dropped messages = 0; # duplicated messages = 0; # out-of-order messages = 0/);
      });
    }
  }
});
