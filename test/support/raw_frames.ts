/**
 * Frames that no kernel would make, from a guest's namespace to its tap; and the worker's counters, which tell what became of them.
 */
import { check, type Running, start } from './processes.ts';
import { nameOf } from './processtable.ts';
import { withChecksum } from './guest_frame.ts';
import type { Translator } from './translator.ts';
import { ENDS4 } from './workbench.ts';

const VNET = 10;
const SOURCE_MAC = VNET + 6;
const L3 = VNET + 14;
const NEEDS_CSUM = 1;
/** A packet socket takes no less. */
const SHORTEST = 14;

/** Sends the frames on its input so many times; a packet socket waits while the tap's queue holds too many of its own. */
const SENDER = `
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('eth0', 0))
frames = [bytes.fromhex(line) for line in sys.stdin.read().split()]
print('ready', flush=True)
for _ in range(int(sys.argv[1])):
    for frame in frames: s.send(frame)
`;

/** MAC address of the guest's interface. */
async function macOf(translator: Translator): Promise<Uint8Array> {
  const shown = await check(['ip', '-br', 'link', 'show', 'eth0'], { namespace: translator.guest });
  const mac = /([0-9a-f]{2}(?::[0-9a-f]{2}){5})/.exec(shown)?.[1] as string;
  return Uint8Array.from(mac.split(':').map((byte) => Number.parseInt(byte, 16)));
}

/** A frame with a virtio-net header as it is on a wire: with its checksum, from the guest's real MAC. Null: no packet socket takes it. */
function onTheWire(frame: Uint8Array, mac: Uint8Array): Uint8Array | null {
  if (frame.length - VNET < SHORTEST) return null;
  const view = new DataView(frame.buffer, frame.byteOffset);
  let whole = frame.slice();
  if (frame[0] === NEEDS_CSUM && frame.length >= VNET + view.getUint16(6, true) + view.getUint16(8, true) + 2) {
    const ipv4 = frame[VNET + 12] === 8;
    const [from, length] = ipv4 ? [L3 + 12, 4] : [L3 + 8, 16];
    const ends = { ...ENDS4, guest: frame.slice(from, from + length), far: frame.slice(from + length, from + 2 * length) };
    whole = withChecksum(frame, ends).slice();
  }
  if (ENDS4.guestMac.every((byte, at) => whole[SOURCE_MAC + at] === byte)) whole.set(mac, SOURCE_MAC);
  return whole.slice(VNET);
}

/** Begins to send frames (with virtio-net headers, as guest_frame.ts makes them) from the guest, one after the other, `times` times. */
export async function sendFrames(translator: Translator, frames: readonly Uint8Array[], times: number): Promise<Running> {
  const mac = await macOf(translator);
  const lines = frames.flatMap((frame) => {
    const whole = onTheWire(frame, mac);
    return whole === null ? [] : [Buffer.from(whole).toString('hex')];
  });
  const sender = start(['python3', '-c', SENDER, String(times)], {
    namespace: translator.guest,
    user: 0,
    timeout: 120_000,
    input: lines.join('\n'),
  });
  await sender.waitFor(/ready/);
  return sender;
}

/** How many of the frames a packet socket takes. */
export function countOnTheWire(frames: readonly Uint8Array[]): number {
  return frames.filter((frame) => onTheWire(frame, ENDS4.guestMac) !== null).length;
}

/** The worker's counters now; what isn't there is 0. */
export async function countersOf(translator: Translator): Promise<(name: string) => number> {
  const name = translator.tool === 'machine' ? 'passt' : 'pasta';
  // Every answer has this line, near its end.
  const last = new RegExp(`^${name}: wakeups +\\d+$`, 'gm');
  const earlier = translator.log().match(last)?.length ?? 0;
  const supervisor = translator.pids().find((pid) => nameOf(pid) === name) as number;
  process.kill(supervisor, 'SIGUSR2');
  await translator.waitFor(new RegExp(`(?:${name}: wakeups +\\d+\\n[^]*?){${earlier + 1}}`));
  const text = translator
    .log()
    .split(new RegExp(`^${name}: flows +`, 'm'))
    .at(-1) as string;
  return (counter) => Number((counter === 'flows' ? /^(\d+)/ : new RegExp(`^${name}: ${counter} +(\\d+)$`, 'm')).exec(text)?.[1] ?? 0);
}
