/**
 * The pipes that spliced bytes go through: made before the seal, shared by all connections.
 *
 * Theory of operation. A direction takes a pipe when it has read something, and gives it back when it has written all of that, mostly
 * within the same turn. So only who is held up by a slow reader keeps one, and when all are kept the others' bytes are copied
 * (pump.ts), which needs none: nobody waits for a pipe.
 *
 * A user who is not root may have so many pages in the pipes of all programs together (pipe-user-pages-soft, 64 MiB by default), and
 * pipes of 1 MiB (pipe-max-size). We ask for a quarter of that, and take what the kernel grants: fewer large ones move more than many
 * small ones.
 */
import { DESCRIPTORS, TRANSMIT } from '../link/arena.ts';
import { kernel } from '../link/kernel.ts';
import { view } from '../wire/memory.ts';

/** How many, and the bytes asked for of each. */
export const PIPES = 16;
export const PIPE_SIZE = 1 << 20;
/** Bytes that are copied at most rather than spliced; every pipe takes as many. */
export const COPY_LENGTH = 1 << 14;

const readingEnds = new Int32Array(PIPES);
const writingEnds = new Int32Array(PIPES);
const sizes = new Int32Array(PIPES);
const free = new Int32Array(PIPES);
/** Pipes that nobody has. */
export let pipesFree = 0;

/** Makes the pipes; later none can be made. Returns how many there are. */
export function openPipes(): number {
  pipesFree = 0;
  for (let size = PIPE_SIZE; pipesFree < PIPES; ) {
    const granted = kernel.makePipe(size, DESCRIPTORS);
    if (granted < 0) break;
    const reading = view.getInt32(DESCRIPTORS, true);
    const writing = view.getInt32(DESCRIPTORS + 4, true);
    if (granted < COPY_LENGTH) {
      kernel.close(reading);
      kernel.close(writing);
      break;
    }
    readingEnds[pipesFree] = reading;
    writingEnds[pipesFree] = writing;
    sizes[pipesFree] = granted;
    free[pipesFree] = pipesFree;
    pipesFree++;
    size = Math.min(size, granted);
  }
  return pipesFree;
}

/** Gives all of them up, of which nobody has one yet: what is copied can be looked at. */
export function closePipes(): void {
  while (pipesFree > 0) {
    const pipe = takePipe();
    kernel.close(readingEnds[pipe]!);
    kernel.close(writingEnds[pipe]!);
  }
}

/** Takes a pipe, which is empty; there is one (`pipesFree`). */
export function takePipe(): number {
  return free[--pipesFree]!;
}

/** Gives an empty pipe back. */
export function givePipe(pipe: number): void {
  free[pipesFree++] = pipe;
}

/** Empties a pipe that holds `length` bytes which nobody wants any more, and gives it back. */
export function clearPipe(pipe: number, length: number): void {
  for (let left = length; left > 0; ) {
    const read = kernel.read(readingEnds[pipe]!, TRANSMIT, Math.min(left, COPY_LENGTH));
    // It is not used again: what is in it is somebody's.
    if (read <= 0) return;
    left -= read;
  }
  givePipe(pipe);
}

/** The descriptor that is written to. */
export function writingEnd(pipe: number): number {
  return writingEnds[pipe]!;
}

/** The descriptor that is read from. */
export function readingEnd(pipe: number): number {
  return readingEnds[pipe]!;
}

/** Bytes that it holds at most; fewer when they come in small pieces. */
export function pipeSize(pipe: number): number {
  return sizes[pipe]!;
}
