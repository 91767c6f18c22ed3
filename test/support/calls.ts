/**
 * System calls by name, on the architecture of the test.
 */
import { readNumbers } from '../../policies/compile.ts';
import { OURS } from './policies.ts';

/** `call(name)` is its number and throws for an unknown name; `exists(name)` tells whether this architecture has it. */
export function readCalls(): { call(name: string): number; exists(name: string): boolean } {
  const numbers = readNumbers(OURS);
  return {
    call(name) {
      const number = numbers[name];
      if (number === undefined) throw new Error(`${OURS} has no system call '${name}'`);
      return number;
    },
    exists: (name) => numbers[name] !== undefined,
  };
}
