/**
 * What somebody else's dissector says of frames: tshark, with every checksum looked at. It knows the formats better than a test does.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ETHERNET = 1;

/** A capture (pcap, in the machine's order) of frames without a link header of ours. */
function capture(frames: readonly Uint8Array[]): Uint8Array {
  const header = new Uint8Array(Uint32Array.of(0xa1b2c3d4, 0x0004_0002, 0, 0, 0x40000, ETHERNET).buffer);
  return Buffer.concat([
    header,
    ...frames.flatMap((frame) => [new Uint8Array(Uint32Array.of(0, 0, frame.length, frame.length).buffer), frame]),
  ]);
}

/** A line for each frame that the filter lets through, with the values of `fields` behind tabs. */
function tshark(frames: readonly Uint8Array[], fields: readonly string[], words: readonly string[]): string[] {
  // It reads no capture from a socket, which is what a pipe to a child is here.
  const folder = mkdtempSync(join(tmpdir(), 'ravioli-capture-'));
  try {
    const path = join(folder, 'frames.pcap');
    writeFileSync(path, capture(frames));
    const all = ['-n', '-r', path, ...words, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])];
    return execFileSync('tshark', all, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
      .split('\n')
      .slice(0, -1);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One line for each frame that something is wrong with: its number from 1, and what. */
export function complaints(frames: readonly Uint8Array[]): string[] {
  const checks = ['ip', 'udp', 'tcp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
  return tshark(frames, ['frame.number', '_ws.expert.message'], [...checks, '-Y', '_ws.expert || _ws.malformed']);
}

/** The values of `fields` in each frame. */
export function dissect(frames: readonly Uint8Array[], fields: readonly string[]): string[][] {
  return tshark(frames, fields, []).map((line) => line.split('\t'));
}
