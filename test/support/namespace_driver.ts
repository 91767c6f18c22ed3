/**
 * Makes a namespace with a tap as the product does (the opener in a child user namespace), configures it from outside, and prints as
 * JSON what ip(8) sees in it. Run as an ordinary user in the network namespace that plays the host:
 *
 *   node namespace_driver.ts [OPTION]...      (options of pasta)
 */
import { execFileSync, spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Native } from '../../native/supervisor.d.ts';
import { formatAddress, formatMac } from '../../shared/addresses.ts';
import { OPENER_ANSWER, OPENER_REQUEST } from '../../shared/limits.ts';
import { OpenerAnswer, OpenerRequest, Verb } from '../../shared/opener.ts';
import { parseArguments } from '../../supervisor/args.ts';
import { bannerLines } from '../../supervisor/config/banner.ts';
import { makePlan } from '../../supervisor/config/plan.ts';
import { explain } from '../../supervisor/explain.ts';
import { configureNamespace } from '../../supervisor/host/namespace.ts';
import { NetlinkDialogue } from '../../supervisor/host/netlink.ts';
import { parseResolvers } from '../../supervisor/host/resolvers.ts';
import { probeTemplate } from '../../supervisor/host/template.ts';
import { UsageError } from '../../supervisor/usage-error.ts';

const native = createRequire(import.meta.url)('../../native/out/supervisor.node') as Native;
const openerPath = new URL('../../native/out/opener', import.meta.url).pathname;

function opened(socket: number, verb: Verb, name: string): number {
  const request = new Uint8Array(OPENER_REQUEST);
  request[OpenerRequest.VERB] = verb;
  request[OpenerRequest.FAMILY] = 4;
  request.set(new TextEncoder().encode(name), OpenerRequest.DESTINATION);
  native.sendWithDescriptors(socket, request, []);
  native.waitReadable(socket, 10_000);
  const answer = native.receiveWithDescriptors(socket, OPENER_ANSWER);
  if (answer === null || typeof answer === 'number') throw new Error(`the opener gave no answer to verb ${verb}: ${answer}`);
  const [descriptor] = answer.fds;
  if (descriptor !== undefined) return descriptor;
  const result = new DataView(answer.bytes.buffer, answer.bytes.byteOffset).getInt32(OpenerAnswer.RESULT, true);
  throw new UsageError(explain(verb === Verb.TAP ? 'create-tap' : 'netlink', -result, name));
}

function inNamespace(pid: number, ...command: string[]): unknown {
  const line = ['--target', String(pid), '--user', '--net', '--preserve-credentials', ...command];
  return JSON.parse(execFileSync('nsenter', line, { encoding: 'utf8' }) || '[]');
}

function main(): void {
  const invocation = parseArguments('pasta', process.argv.slice(2));
  if (invocation.kind !== 'run') return;
  const host = new NetlinkDialogue(native, native.netlinkSocket(0));
  const began = process.hrtime.bigint();
  const template = probeTemplate(host, invocation.options);
  const probed = process.hrtime.bigint();
  const plan = makePlan(invocation.options, template, {
    hostname: 'host',
    resolvers: parseResolvers(''),
    udpTimeouts: { unanswered: 33_000, answered: 133_000 },
    ephemeralPorts: { first: 32_768, last: 60_999 },
    handedSockets: [],
  });
  const [ours, theirs] = native.socketPair();
  const opener = spawn('unshare', ['--map-root-user', '--net', openerPath, 'pasta.opener', '3'], {
    stdio: ['ignore', 'inherit', 'inherit', theirs],
  });
  native.close(theirs);
  const tap = opened(ours, Verb.TAP, plan.namespace.interfaceName);
  const guest = new NetlinkDialogue(native, opened(ours, Verb.NETLINK, ''));
  const ready = process.hrtime.bigint();
  const facts = configureNamespace(guest, plan.namespace);
  const configured = process.hrtime.bigint();
  const pid = opener.pid as number;
  const report = {
    facts: { ...facts, mac: formatMac(facts.mac), linkLocal: facts.linkLocal === null ? null : formatAddress(facts.linkLocal) },
    banner: bannerLines(plan, facts.mac),
    milliseconds: { probe: Number(probed - began) / 1e6, configure: Number(configured - ready) / 1e6 },
    links: inNamespace(pid, 'ip', '-j', '-d', 'address'),
    routes4: inNamespace(pid, 'ip', '-j', '-4', 'route'),
    routes6: inNamespace(pid, 'ip', '-j', '-6', 'route'),
  };
  native.close(tap);
  native.close(ours);
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

try {
  main();
} catch (error) {
  writeSync(2, `${error instanceof UsageError ? error.message : (error as Error).stack}\n`);
  process.exit(1);
}
