/**
 * Rule by rule on the kernel that runs the test (the machine's own architecture).
 */
import { expect } from 'chai';
import { AUDIT_ARCHITECTURE, verdictOf } from '../../policies/generate.ts';
import type { Action, Rule } from '../../policies/parse.ts';
import { askKernel, OURS, policyOf, programOf, ROOMS, SIGSYS_ANSWER } from '../support/policies.ts';
import { argumentsOf, decide, neighbours, witnesses } from '../support/policy_oracle.ts';

/** The answer of seccomp_probe to a call that `action` decides. */
function answerTo(action: Action, call: string): string {
  if (call === 'exit_group' && action.kind === 'allow') return 'errno 255';
  if (action.kind === 'allow') return 'allow';
  return action.kind === 'errno' ? `errno ${action.errno}` : SIGSYS_ANSWER;
}

function line(number: number, values: readonly bigint[]): string {
  return [BigInt(number), ...values].map((value) => value.toString(16)).join(' ');
}

/** Calls that x86-64 kernels from 6.12 on let past every filter; they do nothing unless made from the kernel's own probe page. */
const PAST_FILTERS: Readonly<Record<number, string>> = OURS === 'x86_64' ? { 335: 'uretprobe', 336: 'uprobe' } : {};

describe('policies on the kernel', function () {
  this.timeout(60_000);

  for (const room of ROOMS) {
    const policy = policyOf(room, OURS);
    const verdict = (rule: Rule, values: readonly bigint[]): Action =>
      decide(policy, OURS, { architecture: AUDIT_ARCHITECTURE[OURS], number: rule.number, arguments: values });

    it(`${room}: each rule holds for its arguments, and each neighbour is decided as written`, () => {
      const asked: { rule: Rule; values: readonly bigint[]; action: Action }[] = [];
      for (const rule of policy.rules) {
        for (const values of witnesses(rule, policy)) {
          expect(verdict(rule, values), `line ${rule.line}`).to.deep.equal(rule.action);
          const around = argumentsOf(rule).map((index) => neighbours(values, index));
          around.forEach((lists, position) => {
            const outside = lists.filter((list) => verdictOf(verdict(rule, list)) !== verdictOf(rule.action));
            expect(outside, `line ${rule.line}: argument ${argumentsOf(rule)[position]} makes no difference`).to.not.have.lengthOf(0);
          });
          for (const list of [values, ...around.flat()]) asked.push({ rule, values: list, action: verdict(rule, list) });
        }
      }
      const answers = askKernel(
        programOf(room, OURS),
        asked.map(({ rule, values }) => line(rule.number, values)),
      );
      expect(answers).to.have.lengthOf(asked.length);
      asked.forEach(({ rule, values, action }, index) => {
        expect(answers[index], `${rule.call}(${values.map((value) => `0x${value.toString(16)}`)})`).to.equal(answerTo(action, rule.call));
      });
    });

    it(`${room}: no rule is redundant`, () => {
      for (const rule of policy.rules) {
        const without = { ...policy, rules: policy.rules.filter((other) => other !== rule) };
        const matters = witnesses(rule, policy).some((values) => {
          const call = { architecture: AUDIT_ARCHITECTURE[OURS], number: rule.number, arguments: values };
          return verdictOf(decide(without, OURS, call)) !== verdictOf(decide(policy, OURS, call));
        });
        expect(matters, `line ${rule.line}: ${rule.call} is decided the same without it`).to.equal(true);
      }
    });
  }

  for (const room of ['worker', 'opener'] as const) {
    it(`${room}: every number from 0 to 470 that is not named ends the process`, () => {
      const named = new Set(policyOf(room, OURS).rules.map((rule) => rule.number));
      const numbers = Array.from({ length: 471 }, (_, number) => number).filter(
        (number) => !named.has(number) && !(number in PAST_FILTERS),
      );
      const answers = askKernel(
        programOf(room, OURS),
        numbers.map((number) => line(number, [0n, 0n, 0n, 0n, 0n, 0n])),
      );
      numbers.forEach((number, index) => expect(answers[index], `call ${number}`).to.equal(SIGSYS_ANSWER));
    });
  }

  for (const room of ROOMS) {
    it(`${room}: x32 numbers and the 32-bit entry end the process`, function () {
      if (OURS !== 'x86_64') this.skip();
      const calls = [...[0, 1, 20, 39, 60, 257, 512, 547].map((number) => line(number + 0x40000000, [])), 'int80 1', 'int80 14', 'int80 3'];
      const answers = askKernel(programOf(room, OURS), calls);
      // Without CONFIG_IA32_EMULATION the entry itself is refused with SIGSEGV: dead all the same.
      calls.forEach((call, index) => expect(answers[index], call).to.match(call.startsWith('int80') ? /^signal (31|11)$/ : /^signal 31$/));
    });
  }
});
