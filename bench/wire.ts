/**
 * Nanoseconds per frame parsed and per TCP/IPv4 frame built: the floor under everything the worker does with a packet.
 * Run: node bench/wire.ts. Targets: parse ≤ 40 ns, build ≤ 60 ns; the exit code is 1 if one is missed.
 */
import { ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6, writeEthernet } from '../worker/wire/ethernet.ts';
import { frame, parse } from '../worker/wire/frame.ts';
import { sum, pseudoSum4 } from '../worker/wire/checksum.ts';
import { IPV4_HEADER, PROTOCOL_TCP, writeIpv4 } from '../worker/wire/ipv4.ts';
import { IPV6_HEADER, writeIpv6 } from '../worker/wire/ipv6.ts';
import { bindMemory } from '../worker/wire/memory.ts';
import { ACK, TCP_CHECKSUM, TCP_HEADER, setChecksum, writeTcp } from '../worker/wire/tcp.ts';
import { VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4, VNET_HEADER, writeVnet, writeVnetPlain } from '../worker/wire/vnet.ts';

const ROUNDS = 9;
const FRAMES = 200_000;
/** Frames are spread over as many slots as the worker reads at once, so that the cache is not flattered. */
const SLOTS = 32;
const SLOT = 69_632;
const PAYLOAD = 1400;
const HEADERS4 = ETHERNET_HEADER + IPV4_HEADER + TCP_HEADER;
const MACS = SLOTS * SLOT;

const addresses = Int32Array.of(0x20010db8, 0, 0, 1, 0x20010db8, 0, 0, 2);
let sink = 0;

function build4(at: number, seq: number, payload: number): void {
  const l2 = at + VNET_HEADER;
  const l3 = l2 + ETHERNET_HEADER;
  const l4 = l3 + IPV4_HEADER;
  const length = TCP_HEADER + payload;
  writeVnet(at, VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4, HEADERS4, 1448, ETHERNET_HEADER + IPV4_HEADER, TCP_CHECKSUM);
  writeEthernet(l2, MACS, MACS + 8, ETHERTYPE_IPV4);
  writeIpv4(l3, IPV4_HEADER + length, PROTOCOL_TCP, 0x0a000001, 0x0a000002, 255, 0);
  writeTcp(l4, 443, 50_000, seq, 7, TCP_HEADER, ACK, 0xffff);
  setChecksum(l4, pseudoSum4(0x0a000001, 0x0a000002, PROTOCOL_TCP, length));
}

function build6(at: number, seq: number, payload: number): void {
  const l3 = at + VNET_HEADER + ETHERNET_HEADER;
  writeVnetPlain(at);
  writeEthernet(at + VNET_HEADER, MACS, MACS + 8, ETHERTYPE_IPV6);
  writeIpv6(l3, TCP_HEADER + payload, PROTOCOL_TCP, addresses, 0, addresses, 4, 255, 0, seq & 0xfffff);
  writeTcp(l3 + IPV6_HEADER, 443, 50_000, seq, 7, TCP_HEADER, ACK, 0xffff);
}

function parseAll(length: number): void {
  for (let i = 0; i < FRAMES; i++) sink = (sink + parse((i % SLOTS) * SLOT, length, true) + frame.payload) | 0;
}

function build4All(): void {
  for (let i = 0; i < FRAMES; i++) build4((i % SLOTS) * SLOT, i, PAYLOAD);
}

function build6All(): void {
  for (let i = 0; i < FRAMES; i++) build6((i % SLOTS) * SLOT, i, PAYLOAD);
}

function sumAll(): void {
  for (let i = 0; i < FRAMES; i++) sink = (sink + sum((i % SLOTS) * SLOT, PAYLOAD + 60, 0)) | 0;
}

/** Best of the rounds, ns per frame; prints it. */
function measure(name: string, target: number, run: () => void): boolean {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    run();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / FRAMES);
  }
  const verdict = best <= target ? 'ok' : 'MISSED';
  console.log(`${name.padEnd(24)} ${best.toFixed(1).padStart(7)} ns   target ${target} ns  ${verdict}`);
  return best <= target;
}

bindMemory(new ArrayBuffer(SLOTS * SLOT + 64));
let met = measure('build TCP/IPv4 GSO', 60, build4All);
met = measure('parse TCP/IPv4', 40, () => parseAll(VNET_HEADER + HEADERS4 + PAYLOAD)) && met;
met = measure('build TCP/IPv6', 60, build6All) && met;
met = measure('parse TCP/IPv6', 40, () => parseAll(VNET_HEADER + HEADERS4 + 20 + PAYLOAD)) && met;
met = measure('sum 1460 bytes', 400, sumAll) && met;
if (sink === 0.5) console.log(sink);
process.exitCode = met ? 0 : 1;
