/**
 * The packaged peer agrees with the tables that the product is tested by: what is accepted, which rules it makes, what is refused.
 */
import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { ACCEPTED, DEVIATIONS, REFUSED } from '../support/forwarding_specs.ts';
import { withoutDefaults } from '../support/forwarding_words.ts';
import { check, run } from '../support/processes.ts';
import { makeTopology, type Topology } from '../support/topology.ts';

const PEER = '/opt/peer/bin/pasta';

/** A rule of the peer's listing in the product's words: single blanks, and IPv6 targets in brackets. */
function normal(rule: string): string {
  return rule
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/=> ([0-9a-f:]*:[0-9a-f:]*):([0-9-]+)(?= |$)/, '=> [$1]:$2');
}

/** What the peer makes of the words: its rules, or null. It may fail later, at ports that this user can't have. */
async function answer(topology: Topology, words: readonly string[]): Promise<string[] | null> {
  const { code, stdout, stderr } = await run([PEER, '-d', '--config-net', ...withoutDefaults(words), '--', 'true'], {
    namespace: topology.host,
    cwd: topology.folder,
    timeout: 20_000,
  });
  const rules = [...`${stdout}${stderr}`.matchAll(/^[0-9.]+:\s+((?:TCP|UDP) \[.*)$/gm)].map(([, rule]) => normal(rule as string));
  return code === 0 || rules.length > 0 ? rules : null;
}

describe('forwarding: the packaged peer', function () {
  this.timeout(60_000);
  let topology: Topology;

  before(async function () {
    // The peer is no package of ours.
    if (!existsSync(PEER)) this.skip();
    topology = makeTopology();
    const range = 'echo 32768 60999 > /proc/sys/net/ipv4/ip_local_port_range';
    await check(['sh', '-c', range], { namespace: topology.host, user: 0 });
  });

  after(() => topology?.remove());

  for (const { words, rules } of [...ACCEPTED, ...REFUSED]) {
    it(`agrees about ${words.join(' ')}`, async () => expect(await answer(topology, words)).to.eql(rules));
  }

  for (const { words, peer } of DEVIATIONS) {
    it(`still differs about ${words.join(' ')}`, async () => expect(await answer(topology, words)).to.eql(peer));
  }
});
