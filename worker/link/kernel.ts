/**
 * The one way from the pure folders to the kernel: the addon's vocabulary, bound once at start.
 * Tests bind a kernel of their own making.
 */
import type { Native } from '../../native/worker.d.ts';

export let kernel: Native;

/** Binds the kernel that every folder of the worker uses from now on. */
export function bindKernel(native: Native): void {
  kernel = native;
}
