import { expect } from 'chai';
import fc from 'fast-check';
import { compilePolicy } from '../../policies/compile.ts';
import { AUDIT_ARCHITECTURE, Verdict, verdictOf } from '../../policies/generate.ts';
import { ARCHITECTURES, type Architecture, type Policy, parsePolicy } from '../../policies/parse.ts';
import { type Call, runProgram } from '../support/bpf.ts';
import { policyOf, programOf, ROOMS } from '../support/policies.ts';
import { ALL_ONES, argumentsOf, decide, neighbours, witnesses } from '../support/policy_oracle.ts';

const anyArgument = fc.oneof(
  fc.bigInt(0n, 64n),
  fc.bigInt(0n, ALL_ONES),
  fc.constantFrom(0n, ALL_ONES, 1n << 32n, (1n << 32n) - 1n, 1n << 63n),
);

function callsOf(policy: Policy, architecture: Architecture): fc.Arbitrary<Call> {
  const known = policy.rules.map((rule) => rule.number);
  return fc.record({
    architecture: fc.oneof(
      { weight: 9, arbitrary: fc.constant(AUDIT_ARCHITECTURE[architecture]) },
      { weight: 1, arbitrary: fc.constantFrom(0x40000003, 0x40000028, 0xc000003e, 0xc00000b7, 0) },
    ),
    number: fc.oneof(
      fc.constantFrom(...known),
      fc.nat(480),
      fc.nat(480).map((number) => number + 0x40000000),
      fc.integer({ min: 0, max: 0xffffffff }),
    ),
    arguments: fc.array(anyArgument, { minLength: 6, maxLength: 6 }),
  });
}

describe('policies/generate', () => {
  for (const architecture of ARCHITECTURES) {
    for (const room of ROOMS) {
      const policy = policyOf(room, architecture);
      const program = programOf(room, architecture);
      const agree = (call: Call): void => {
        const wanted = verdictOf(decide(policy, architecture, call));
        expect(runProgram(program, call).verdict, `${call.number}(${call.arguments})`).to.equal(wanted);
      };

      it(`${room} on ${architecture}: the program decides random calls as the policy does`, () => {
        fc.assert(fc.property(callsOf(policy, architecture), agree), { numRuns: 3000 });
      });

      it(`${room} on ${architecture}: and around every condition`, () => {
        for (const rule of policy.rules) {
          for (const values of witnesses(rule, policy)) {
            const lists = [values, ...argumentsOf(rule).flatMap((index) => neighbours(values, index))];
            for (const list of lists) agree({ architecture: AUDIT_ARCHITECTURE[architecture], number: rule.number, arguments: list });
          }
        }
      });

      it(`${room} on ${architecture}: calls without conditions are decided without their arguments`, () => {
        const conditional = new Set(policy.rules.filter((rule) => rule.condition !== undefined).map((rule) => rule.number));
        for (let number = 0; number < 480; number += 1) {
          const outcome = runProgram(program, {
            architecture: AUDIT_ARCHITECTURE[architecture],
            number,
            arguments: new Array<bigint>(6).fill(0n),
          });
          expect(outcome.sawArguments, `call ${number}`).to.equal(conditional.has(number));
        }
      });
    }
  }

  it('compares by halves: all relations, both widths, around every 4 GiB line', () => {
    const relation = fc.constantFrom('==', '!=', '<', '<=', '>', '>=');
    const mask = fc.oneof(fc.constant(ALL_ONES), fc.bigInt(1n, ALL_ONES));
    const word = fc.oneof(
      fc.bigInt(0n, ALL_ONES),
      fc.bigInt(0n, 8n).map((n) => (1n << 32n) - 4n + n),
      fc.bigInt(0n, 8n),
    );
    fc.assert(
      fc.property(
        relation,
        mask,
        word,
        fc.boolean(),
        fc.array(word, { minLength: 6, maxLength: 6 }),
        (operator, rawMask, rawValue, wide, seen) => {
          const width = wide ? ALL_ONES : 0xffff_ffffn;
          const value = rawValue & rawMask & width;
          const [call, argument] = wide ? ['mprotect', 'prot'] : ['madvise', 'advice'];
          const rule = `${call}: allow if ${argument} & ${rawMask} ${operator} ${value} # why`;
          const text = `default kill # why\nforeign kill # why\n${rule}\n`;
          const policy = parsePolicy(text, 'x86_64', { mprotect: 10, madvise: 10 });
          const program = compilePolicy(policy, 'x86_64');
          for (const third of [...seen, value, value + 1n, value - 1n, value ^ (1n << 32n)]) {
            const call = { architecture: AUDIT_ARCHITECTURE.x86_64, number: 10, arguments: [0n, 0n, third & ALL_ONES, 0n, 0n, 0n] };
            expect(runProgram(program, call).verdict).to.equal(verdictOf(decide(policy, 'x86_64', call)));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('sends every x32 number and every foreign architecture to their death', () => {
    for (const room of ROOMS) {
      const program = programOf(room, 'x86_64');
      for (let number = 0; number < 480; number += 1) {
        const x32 = { architecture: AUDIT_ARCHITECTURE.x86_64, number: number | 0x40000000, arguments: new Array<bigint>(6).fill(0n) };
        expect(runProgram(program, x32).verdict).to.equal(Verdict.KILL_PROCESS);
        expect(runProgram(program, { ...x32, number, architecture: 0x40000003 }).verdict).to.equal(Verdict.KILL_PROCESS);
      }
    }
  });
});
