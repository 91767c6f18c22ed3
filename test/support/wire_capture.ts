/**
 * What an interface receives or sends, as it would be seen on a wire, and what tshark says of it.
 *
 * Theory of operation. A capture on an interface with offloads shows frames that nobody has finished: superframes of 64 KiB, and checksums
 * that hold the sum of a pseudo header because whoever sends them on will add the rest (VIRTIO_NET_HDR_F_NEEDS_CSUM). tshark would
 * complain of them, or be told to look away. So each frame is mirrored (tc) onto a pair of interfaces without offloads: there the kernel
 * does what the frame asks for, splits it and fills the checksums where the offload facts say that they are, and the capture is taken
 * behind that. A fact that is wrong becomes a frame that is wrong.
 */
import { check, type Running, start } from './processes.ts';

const HOUR = 3_600_000;
/** Names of the pair, in each namespace the same. */
const MIRROR = 'mirror0';
const SEEN = 'mirror1';
/** MiB that wait for the program that writes them down. */
const BUFFER = 64;

export interface WireCapture {
  /** Ends the capture; resolves with its file. Safe to call twice. */
  stop(): Promise<string>;
}

/** Begins to capture what `device` of a namespace receives or sends. One for each namespace at a time. */
export async function startWireCapture(
  namespace: string | number,
  device: string,
  which: 'received' | 'sent',
  file: string,
): Promise<WireCapture> {
  const filter = `dev ${device} ${which === 'received' ? 'ingress' : 'egress'}`;
  // Neighbour discovery of the mirror would be seen in it. The MTU is the most that there is: what is mirrored may be as long.
  const script = `ip link add ${MIRROR} type veth peer name ${SEEN}
for name in ${MIRROR} ${SEEN}; do
  ethtool -K $name tx off tso off gso off gro off
  echo 1 > /proc/sys/net/ipv6/conf/$name/disable_ipv6
  ip link set $name mtu 65535 up
done
tc qdisc add dev ${device} clsact
tc filter add ${filter} protocol all u32 match u32 0 0 action mirred egress mirror dev ${MIRROR}`;
  await check(['sh', '-ec', script], { namespace, user: 0 });
  // dumpcap gives up root's right to write where it likes, so the shell opens the file.
  const words = ['sh', '-c', `exec dumpcap -q -i ${SEEN} -B ${BUFFER} -w - > "$0"`, file];
  const capture: Running = start(words, { namespace, user: 0, timeout: HOUR });
  await capture.waitFor(/File:/);
  let ended: Promise<string> | undefined;
  async function end(): Promise<string> {
    await capture.stop('SIGINT');
    await check(['sh', '-ec', `tc qdisc del dev ${device} clsact; ip link del ${MIRROR}`], { namespace, user: 0 });
    return file;
  }
  return {
    stop() {
      ended ??= end();
      return ended;
    },
  };
}

const CHECKSUMS = ['ip.check_checksum', 'udp.check_checksum', 'tcp.check_checksum'].flatMap((name) => ['-o', `${name}:TRUE`]);
/** Not about a frame but about the conversation: that TCP has lost a segment, say. */
const CONVERSATION = /^(Sequence|Decryption)$/;

export interface Verdict {
  /** Frames in the capture, and of each protocol. */
  readonly frames: ReadonlyMap<string, number>;
  /** Length of the largest frame. */
  readonly largest: number;
  /** What tshark calls a warning or an error of a frame's form: wrong checksums, lengths that contradict each other, rests that have no place. */
  readonly complaints: readonly string[];
}

/** Has tshark read a capture. What the `ports`, numbers or ranges, carry it does not look into: ciphers look like any protocol, with any mistake in it. */
export async function judge(file: string, ports: readonly (number | string)[]): Promise<Verdict> {
  const carried = ports.flatMap((port) => ['udp', 'tcp'].flatMap((name) => ['-d', `${name}.port==${port},data`]));
  const read = (...words: string[]): Promise<string> =>
    check(['tshark', '-n', '-r', file, ...carried, ...CHECKSUMS, ...words], { user: 0, timeout: 300_000 });
  const text = await read('-q', '-z', 'expert,warn', '-z', 'io,phs');
  const frames = new Map<string, number>();
  for (const [, name, count] of text.matchAll(/^ *([\w.]+) +frames:(\d+) bytes:\d+$/gm)) {
    frames.set(name as string, (frames.get(name as string) ?? 0) + Number(count));
  }
  const complaints = [...text.matchAll(/^ +(\d+) +(\w+) +(\S+) +(\S.*)$/gm)].filter(([, , group]) => !CONVERSATION.test(group as string));
  const wrong = await read('-Y', '_ws.malformed or ip.checksum.status==0 or udp.checksum.status==0 or tcp.checksum.status==0');
  const lengths = await read('-T', 'fields', '-e', 'frame.len');
  return {
    frames,
    largest: lengths.split('\n').reduce((most, length) => Math.max(most, Number(length)), 0),
    complaints: [...complaints.map(([line]) => line.trim()), ...wrong.split('\n').filter((line) => line !== '')],
  };
}
