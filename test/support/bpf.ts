/**
 * A small interpreter of the classic BPF that seccomp(2) accepts, for tests: what would the kernel answer?
 */
import { Code, type Instruction } from '../../policies/assemble.ts';

/** struct seccomp_data, without the instruction pointer. */
export interface Call {
  readonly architecture: number;
  readonly number: number;
  readonly arguments: readonly bigint[];
}

/** The verdict, and whether the program looked at an argument to reach it (then the kernel can't answer from its bitmap). */
export interface Outcome {
  readonly verdict: number;
  readonly sawArguments: boolean;
}

/** Runs `program` on `call`. Throws on anything the kernel's checker would refuse. */
export function runProgram(program: readonly Instruction[], call: Call): Outcome {
  let accumulator = 0;
  let sawArguments = false;
  for (let at = 0; ; at += 1) {
    const instruction = program[at];
    if (instruction === undefined) throw new Error(`the program runs off its end at ${at}`);
    const { code, jt, jf, k } = instruction;
    switch (code) {
      case Code.LOAD:
        sawArguments ||= k >= 16;
        accumulator = loadWord(call, k);
        break;
      case Code.AND:
        accumulator = (accumulator & k) >>> 0;
        break;
      case Code.JUMP:
        at += k;
        break;
      case Code.eq:
        at += accumulator === k ? jt : jf;
        break;
      case Code.gt:
        at += accumulator > k ? jt : jf;
        break;
      case Code.ge:
        at += accumulator >= k ? jt : jf;
        break;
      case Code.RETURN:
        return { verdict: k, sawArguments };
      default:
        throw new Error(`unknown instruction 0x${code.toString(16)} at ${at}`);
    }
  }
}

function loadWord(call: Call, offset: number): number {
  if (offset === 0) return call.number >>> 0;
  if (offset === 4) return call.architecture;
  if (offset < 16 || offset > 60 || offset % 4 !== 0) throw new Error(`a load from offset ${offset}`);
  const argument = call.arguments[(offset - 16) >> 3] as bigint;
  return Number(offset % 8 === 0 ? argument & 0xffff_ffffn : argument >> 32n);
}
