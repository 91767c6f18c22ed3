/** Frames of a guest with what an honest one seldom sends: options, extension headers. Each begins with the virtio-net header. */
import { sum16 } from './guest_frame.ts';

const VNET = 10;
const ETHERNET = 14;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Makes the checksum of the frame's IPv4 header right, as far as the frame holds that header. */
export function repairHeader(frame: Uint8Array): void {
  const l3 = VNET + ETHERNET;
  const header = frame.subarray(l3, l3 + 4 * ((frame[l3] as number) & 15));
  if (header.length < 20) return;
  viewOf(header).setUint16(10, 0);
  viewOf(header).setUint16(10, ~sum16(header));
}

/** An IPv4 frame with options, filled up with zeros (end of options). */
export function withOptions(frame: Uint8Array, options: readonly number[]): Uint8Array {
  const l3 = VNET + ETHERNET;
  const length = (options.length + 3) & ~3;
  const longer = new Uint8Array(frame.length + length);
  longer.set(frame.subarray(0, l3 + 20));
  longer.set(options, l3 + 20);
  longer.set(frame.subarray(l3 + 20), l3 + 20 + length);
  const view = viewOf(longer);
  view.setUint8(l3, 0x45 + length / 4);
  view.setUint16(l3 + 2, view.getUint16(l3 + 2) + length);
  moveChecksum(view, length);
  repairHeader(longer);
  return longer;
}

/** An IPv6 frame with extension headers: the number of each, and its bytes behind the first. */
export function withExtensions(frame: Uint8Array, headers: readonly (readonly [number, ...number[]])[]): Uint8Array {
  const l3 = VNET + ETHERNET;
  const upper = frame[l3 + 6] as number;
  const inserted = headers.flatMap(([, ...bytes], index) => [headers[index + 1]?.[0] ?? upper, ...bytes]);
  const longer = Uint8Array.from([...frame.subarray(0, l3 + 40), ...inserted, ...frame.subarray(l3 + 40)]);
  const view = viewOf(longer);
  view.setUint16(l3 + 4, view.getUint16(l3 + 4) + inserted.length);
  view.setUint8(l3 + 6, headers[0]?.[0] ?? upper);
  moveChecksum(view, inserted.length);
  return longer;
}

/** The upper-layer header lies so many bytes further back. */
function moveChecksum(view: DataView, by: number): void {
  if (view.getUint8(0) === 1) view.setUint16(6, view.getUint16(6, true) + by, true);
}
