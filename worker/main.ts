/**
 * The worker: the only process that reads hostile packets, and one that can open nothing.
 *
 * Start: load the addon, make the arena, greet; take the flow table's memory and the configuration; be sealed; take the
 * tap and the opener's socket; run. The dialogue is shared/channel.proto, its order shared/permits.ts.
 *
 * Usage (by the supervisor, through the jail): worker.cjs [pasta|passt]
 */
import type { ravioli } from '../shared/channel.gen.js';
import { FLOW_ROW_BYTES, MAX_FLOWS } from '../shared/limits.ts';
import { CHANNEL_VERSION, GrantKind, processName } from '../shared/roles.ts';
import type { Native } from '../native/worker.d.ts';
import { receiveMessage, sendMessage } from './channel.ts';
import { EXIT_CHANNEL, EXIT_DONE, leave } from './exit.ts';
import { setForwarding, setResolvers } from './flow/forward.ts';
import { setIdentification } from './flow/fragmentation.ts';
import { setHashKey } from './flow/hash.ts';
import { setDatagramTimeouts } from './flow/idle.ts';
import { setLogLevel } from './flow/journal.ts';
import { setLoopbacks } from './flow/loopback.ts';
import { setObserved } from './flow/observed.ts';
import { HOST, NAMESPACE, setOpener } from './flow/opener.ts';
import { bindRows, KIND, ROW, rows, SPLICE, TCP } from './flow/row.ts';
import { flowCount, freeDescriptors, openTable, rowsInUse } from './flow/table.ts';
import { openUnanswered } from './flow/unanswered.ts';
import { openWaiting } from './flow/waiting.ts';
import { EPOLLIN, watchDescriptor } from './flow/watch.ts';
import { openReassemblies } from './fragment/store.ts';
import { listFlows } from './flow_list.ts';
import { setProtocols } from './guest.ts';
import { announceChange, takeStream, takeTap, watchLink } from './guest_link.ts';
import { ARENA_SIZE, GUEST_MAC, OUR_MAC, RECEIVE } from './link/arena.ts';
import { openCapture } from './link/capture.ts';
import { counters } from './link/counters.ts';
import { bindKernel, kernel } from './link/kernel.ts';
import { setLinkMtu } from './link/mtu.ts';
import { openAdvertiser } from './local/advertiser.ts';
import { setDhcp } from './local/dhcp.ts';
import { setDhcpv6 } from './local/dhcpv6.ts';
import { openMemberships } from './local/groups.ts';
import { setIdentity } from './local/identity.ts';
import { openNames, setNames } from './local/names.ts';
import { openRouter, setRouter } from './local/router.ts';
import { closeListeners, openListener, setForwardedPorts } from './listener.ts';
import { OPENER_HOST, OPENER_NAMESPACE, openLoop, runLoop } from './loop.ts';
import { captureSpliced } from './splice/capture.ts';
import { abort } from './splice/ending.ts';
import { setSpliceTimeouts } from './splice/expiry.ts';
import { openPipes } from './splice/pipes.ts';
import { abandon } from './tcp/ending.ts';
import { openReassembly } from './tcp/reassembly.ts';
import { openReceiveBuffers } from './tcp/receive_buffer.ts';
import { openScoreboard } from './tcp/scoreboard.ts';
import { setTimeouts } from './tcp/timeout.ts';
import { setPeekOffset } from './tcp/transmit.ts';
import { outdateNameFlows } from './udp/flow.ts';
import { openWatchdog } from './watchdog.ts';
import { setSumOfLong } from './wire/checksum.ts';
import { bindMemory, bytes } from './wire/memory.ts';

/** Beside dist/, where the bundle lies. */
const ADDON = `${__dirname}/../native/out/worker.node`;

/** The bare call: a module for it would be one more to load. */
function loadNative(): Native {
  const addon = { exports: {} as Native };
  process.dlopen(addon, ADDON);
  return addon.exports;
}

let hasMemory = false;

function bytesOf(value: Uint8Array | null | undefined): Uint8Array {
  return value ?? new Uint8Array(0);
}

function openTables(flows: number, descriptors: number): void {
  openTable(flows, descriptors);
  openUnanswered();
  openWaiting();
  openReceiveBuffers();
  openReassembly();
  openReassemblies();
  openWatchdog(flows);
  openScoreboard();
  openMemberships();
  openPipes();
}

/** What the guest is told when it asks how to set itself up. */
function setAdvice(
  config: ravioli.Config.$Properties,
  facts: { guestAddress4: Uint8Array; guestAddress6: Uint8Array; gateway4: Uint8Array },
): void {
  const { guestAddress6 } = facts;
  setDhcp({
    ...facts,
    dhcp: config.dhcp ?? false,
    prefixLength4: config.prefixLength4 ?? 0,
    advertisedMtu: config.advertisedMtu ?? 0,
    hostname: config.hostname ?? '',
    fqdn: config.fqdn ?? '',
    renewal4: config.renewal4 ?? 0,
  });
  setDhcpv6({ guestAddress6, dhcpv6: config.dhcpv6 ?? false, fqdn: config.fqdn ?? '', renewal6: config.renewal6 ?? 0 });
  setRouter({
    guestAddress6,
    ra: config.ra ?? false,
    dhcpv6: config.dhcpv6 ?? false,
    defaultRouter6: config.defaultRouter6 ?? false,
    advertisedMtu: config.advertisedMtu ?? 0,
    routes6: (config.routes6 ?? []).map(({ destination, prefixLength }) => ({
      destination: bytesOf(destination),
      prefixLength: prefixLength ?? 0,
    })),
  });
}

/** What depends on the host's network: at the start, and again when that has changed. Flows that exist keep their addresses. */
function takeFacts(config: ravioli.Config.$Properties, isFirst: boolean): void {
  const facts = {
    guestAddress4: bytesOf(config.guestAddress4),
    guestAddress6: bytesOf(config.guestAddress6),
    gateway4: bytesOf(config.gateway4),
    gateway6: bytesOf(config.gateway6),
    ourLinkLocal: bytesOf(config.ourLinkLocal),
    mapHostLoopback4: bytesOf(config.mapHostLoopback4),
    mapHostLoopback6: bytesOf(config.mapHostLoopback6),
    mapGuestAddress4: bytesOf(config.mapGuestAddress4),
    mapGuestAddress6: bytesOf(config.mapGuestAddress6),
    templateInterface: config.templateInterface ?? 0,
  };
  setForwarding(facts);
  // A guest that sets itself up has its old addresses until it asks for others.
  if (isFirst || config.configured) setObserved(facts);
  setIdentity(OUR_MAC, facts);
  setAdvice(config, facts);
  if (!isFirst) announceChange();
}

/** V8 collects garbage when it hears of so much memory, 4 ms; by then the supervisor is still busy with the guest's interface. */
function takeMemory({ maxFlows, maxDescriptors }: ravioli.Memory.$Properties, fds: number[]): void {
  const [columns] = fds;
  if (columns === undefined || hasMemory) leave(EXIT_CHANNEL);
  hasMemory = true;
  bindRows(kernel.mapShared(columns, MAX_FLOWS * FLOW_ROW_BYTES));
  kernel.close(columns);
  openTables(Math.min(maxFlows ?? 0, MAX_FLOWS), maxDescriptors ?? 0);
}

function takeConfig(config: ravioli.Config.$Properties): void {
  if (!hasMemory) leave(EXIT_CHANNEL);
  const secret = bytesOf(config.secret);
  const words = new DataView(secret.buffer, secret.byteOffset, secret.length);
  setHashKey(words.getInt32(0), words.getInt32(4));
  setIdentification(words.getInt32(8));
  openAdvertiser(words.getInt32(12));
  openNames();
  openRouter();
  bytes.set(bytesOf(config.ourMac).subarray(0, 6), OUR_MAC);
  bytes.set(bytesOf(config.guestMac).subarray(0, 6), GUEST_MAC);
  takeFacts(config, true);
  setForwardedPorts({ frames: config.taps ?? false });
  setLoopbacks({ splices: config.splices ?? false, guestLoopback: config.guestLoopback ?? false });
  setLinkMtu(config.mtu ?? 0);
  setPeekOffset(config.peekOffset4 ?? false, config.peekOffset6 ?? false);
  setLogLevel(config.logLevel ?? 0);
  const inactive = { idle: config.tcpIdleTimeout ?? 0, halfClosed: config.tcpHalfClosedTimeout ?? 0 };
  setTimeouts({ handshake: config.tcpHandshakeTimeout ?? 0, keepAlive: config.tcpKeepalive ?? 0, ...inactive });
  setSpliceTimeouts(inactive);
  setDatagramTimeouts({ unanswered: config.udpTimeout ?? 0, answered: config.udpStreamTimeout ?? 0 });
  setProtocols({
    ipv4: config.ipv4 ?? false,
    ipv6: config.ipv6 ?? false,
    tcp: config.tcp ?? false,
    udp: config.udp ?? false,
    icmp: config.icmp ?? false,
    ndp: config.ndp ?? false,
  });
}

function takeSeal(filter: Uint8Array): void {
  bytes.set(filter, RECEIVE);
  sendMessage({ id: 0, sealed: { result: kernel.seal(RECEIVE, filter.length) } });
}

function takeGrant(grant: ravioli.Grant.$Properties, fds: number[]): void {
  const [fd] = fds;
  if (fd === undefined) leave(EXIT_CHANNEL);
  switch (grant.kind) {
    case GrantKind.TAP:
      takeTap(fd, grant.value ?? 0);
      break;
    case GrantKind.STREAM:
      takeStream(fd, grant.value === 1);
      break;
    case GrantKind.CAPTURE:
      openCapture(fd);
      if (grant.value === 1) captureSpliced();
      break;
    case GrantKind.OPENER_HOST:
      setOpener(HOST, fd, OPENER_HOST);
      watchDescriptor(fd, EPOLLIN, OPENER_HOST);
      break;
    case GrantKind.OPENER_NAMESPACE:
      setOpener(NAMESPACE, fd, OPENER_NAMESPACE);
      watchDescriptor(fd, EPOLLIN, OPENER_NAMESPACE);
      break;
    default:
      leave(EXIT_CHANNEL);
  }
}

function takeListeners({ listeners }: ravioli.Listeners.$Properties, fds: number[]): void {
  // The kernel lets in as many as there is room for, the first of them.
  if ((listeners?.length ?? 0) < fds.length) leave(EXIT_CHANNEL);
  const refused: number[] = [];
  listeners?.forEach(({ id, protocol, guest, port, targetPort, target }, index) => {
    const facts = {
      id: id ?? 0,
      protocol: protocol ?? 0,
      guest: guest ?? false,
      port: port ?? 0,
      targetPort: targetPort ?? 0,
      target: bytesOf(target),
    };
    const fd = fds[index];
    if (fd === undefined || !openListener(facts, fd)) refused.push(facts.id);
  });
  if (refused.length > 0 && !sendMessage({ id: 0, noRoom: { ids: refused } })) leave(EXIT_CHANNEL);
}

function takeResolvers({ forward4, forward6, host4, host6, servers, search }: ravioli.Resolvers.$Properties): void {
  if (setNames(servers ?? [], search ?? [])) announceChange();
  setResolvers({ forward4: bytesOf(forward4), forward6: bytesOf(forward6), host4: bytesOf(host4), host6: bytesOf(host6) });
  outdateNameFlows();
}

/** Every connection's far end is told by a reset; datagrams need no farewell. */
function drain(): never {
  for (let flow = 0; flow < rowsInUse(); flow++) {
    if (rows[flow * ROW + KIND] === TCP) abandon(flow, 0);
    else if (rows[flow * ROW + KIND] === SPLICE) abort(flow, 0);
  }
  sendMessage({ id: 0, drained: {} });
  leave(EXIT_DONE);
}

function channelEvent(): void {
  for (;;) {
    const received = receiveMessage();
    if (received === null) return;
    if (received === undefined) leave(EXIT_DONE);
    const { envelope, fds } = received;
    if (envelope.memory) takeMemory(envelope.memory, fds);
    else if (envelope.config) takeConfig(envelope.config);
    else if (envelope.seal) takeSeal(bytesOf(envelope.seal.filter));
    else if (envelope.grant) takeGrant(envelope.grant, fds);
    else if (envelope.facts) takeFacts(envelope.facts, false);
    else if (envelope.resolvers) takeResolvers(envelope.resolvers);
    else if (envelope.listeners) takeListeners(envelope.listeners, fds);
    else if (envelope.unlisten) closeListeners(envelope.unlisten.ids ?? []);
    else if (envelope.settle) sendMessage({ id: 0, settled: { room: freeDescriptors() } });
    else if (envelope.start) watchLink();
    else if (envelope.statusRequest) sendMessage({ id: envelope.id ?? 0, status: { counters: Array.from(counters), flows: flowCount } });
    else if (envelope.flowsRequest) sendMessage({ id: envelope.id ?? 0, flows: listFlows(envelope.flowsRequest.first ?? 0) });
    else if (envelope.drain) drain();
    else leave(EXIT_CHANNEL);
  }
}

function main(): never {
  process.title = processName(process.argv[2] === 'passt' ? 'passt' : 'pasta', 'worker');
  bindKernel(loadNative());
  const arena = new ArrayBuffer(ARENA_SIZE);
  kernel.bindArena(arena);
  bindMemory(arena);
  setSumOfLong((offset, length, seed) => kernel.checksum(offset, length, seed));
  openLoop(channelEvent);
  if (!sendMessage({ id: 0, hello: { version: CHANNEL_VERSION, pid: process.pid } })) leave(EXIT_CHANNEL);
  runLoop();
}

main();
