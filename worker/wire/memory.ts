/**
 * The arena: the one block of memory that frames live in. Every `at` in this folder is an offset into it.
 *
 * One module-level DataView is the fastest way to a header field, and it throws outside the arena: that is a bug of ours, and the
 * process dies.
 */

/** Network-order and bounds-checked access to the arena. */
export let view: DataView = new DataView(new ArrayBuffer(0));

/** The same memory, for copies (`copyWithin`). */
export let bytes: Uint8Array = new Uint8Array(0);

/** Makes `arena` the memory of all formats. Called once, before the first frame (again only by tests). */
export function bindMemory(arena: ArrayBuffer): void {
  view = new DataView(arena);
  bytes = new Uint8Array(arena);
}
