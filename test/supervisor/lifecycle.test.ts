/** The table of the lifecycle, and properties that hold for any sequence of events. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type Effect, INITIAL, type LifecycleEvent, type Situation, transition } from '../../supervisor/lifecycle.ts';

const SIGSYS = 31;

/** What follows from `events`, in order. */
function after(...events: LifecycleEvent[]): { now: Situation; effects: Effect[] } {
  let now = INITIAL;
  const effects: Effect[] = [];
  for (const event of events) {
    const result = transition(now, event);
    now = result.next;
    effects.push(...result.effects);
  }
  return { now, effects };
}

const READY: LifecycleEvent = { type: 'ready' };
const TERM: LifecycleEvent = { type: 'asked', signal: 'SIGTERM', patient: true };
const names = (effects: readonly Effect[]): string[] => effects.map((effect) => effect.do);
const exits = (effects: readonly Effect[]): number[] => effects.flatMap((effect) => (effect.do === 'exit' ? [effect.code] : []));
const lines = (effects: readonly Effect[]): string[] => effects.flatMap((effect) => (effect.do === 'report' ? [effect.line] : []));

describe('supervisor/lifecycle', () => {
  it('releases the command once, when everything is ready', () => {
    expect(names(after(READY, READY).effects)).to.deep.equal(['release']);
  });

  const outcomes: readonly (readonly [string, LifecycleEvent[], number, RegExp | null])[] = [
    ['the command’s own status', [READY, { type: 'commandEnded', code: 7 }], 7, null],
    ['128 + signal of the command', [READY, { type: 'commandEnded', code: 137 }], 137, null],
    ['1 when the command ends too early', [{ type: 'commandEnded', code: 0 }], 1, /before its network was ready/],
    ['1 when start-up fails', [{ type: 'failed', line: 'why' }], 1, /^why$/],
    ['1 when the worker crashes', [READY, { type: 'workerEnded', ending: { code: 0, signal: 11 } }], 1, /worker.*signal 11/],
    ['1 and a hint at SIGSYS', [READY, { type: 'workerEnded', ending: { code: 0, signal: SIGSYS } }], 1, /signal 31.*dmesg/],
    ['1 when the worker leaves by itself', [READY, { type: 'workerEnded', ending: { code: 0, signal: 0 } }], 1, /status 0/],
    ['1 when an opener ends', [READY, { type: 'openerEnded', place: 'guest', ending: { code: 1, signal: 0 } }], 1, /opener of the guest/],
    ['0 when the guest is gone', [READY, { type: 'guestGone' }], 0, /has gone/],
    ['0 at SIGTERM during start-up', [{ type: 'asked', signal: 'SIGTERM', patient: true }], 0, null],
    ['0 at SIGQUIT', [READY, { type: 'asked', signal: 'SIGQUIT', patient: false }], 0, null],
    ['130 at SIGINT', [READY, { type: 'asked', signal: 'SIGINT', patient: false }], 130, null],
    ['129 at SIGHUP', [READY, { type: 'asked', signal: 'SIGHUP', patient: false }], 129, null],
  ];
  for (const [name, events, code, line] of outcomes) {
    it(`exits with ${name}`, () => {
      const { now, effects } = after(...events, { type: 'emptied' });
      expect(now.state).to.equal('ended');
      expect(exits(effects)).to.deep.equal([code]);
      expect(names(effects)).to.include('kill');
      if (line === null) {
        expect(lines(effects)).to.deep.equal([]);
      } else {
        expect(lines(effects)).to.have.length(1);
        expect(lines(effects)[0]).to.match(line);
      }
    });
  }

  it('gives a command that handles SIGTERM a moment, with its network', () => {
    const asked = after(READY, TERM);
    expect(asked.now.state).to.equal('parting');
    expect(names(asked.effects)).to.deep.equal(['release', 'pass', 'deadline']);
    expect(exits(after(READY, TERM, { type: 'commandEnded', code: 3 }, { type: 'emptied' }).effects)).to.deep.equal([0]);
  });

  it('kills it when the moment has passed, or when asked again', () => {
    for (const impatience of [{ type: 'overdue' } as const, TERM]) {
      expect(names(after(READY, TERM, impatience).effects)).to.include('kill');
    }
  });

  it('does not wait for ever for a child that can’t be killed', () => {
    expect(exits(after(READY, { type: 'commandEnded', code: 4 }, { type: 'overdue' }).effects)).to.deep.equal([4]);
  });

  const ending = fc.record({ code: fc.integer({ min: 0, max: 255 }), signal: fc.integer({ min: 0, max: 64 }) });
  const event: fc.Arbitrary<LifecycleEvent> = fc.oneof(
    fc.constantFrom<LifecycleEvent>(READY, { type: 'guestGone' }, { type: 'emptied' }, { type: 'overdue' }, { type: 'failed', line: 'x' }),
    fc.record({ type: fc.constant('workerEnded' as const), ending }),
    fc.record({ type: fc.constant('openerEnded' as const), place: fc.constantFrom('host' as const, 'guest' as const), ending }),
    fc.record({ type: fc.constant('commandEnded' as const), code: fc.integer({ min: 0, max: 255 }) }),
    fc.record({
      type: fc.constant('asked' as const),
      signal: fc.constantFrom('SIGTERM' as const, 'SIGINT' as const, 'SIGHUP' as const, 'SIGQUIT' as const),
      patient: fc.boolean(),
    }),
  );

  it('exits at most once, releases at most once, and the first cause decides the code', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        let now = INITIAL;
        const effects: Effect[] = [];
        let decided: number | null = null;
        for (const one of events) {
          const result = transition(now, one);
          now = result.next;
          effects.push(...result.effects);
          if (decided === null && (now.state === 'leaving' || now.state === 'parting')) {
            decided = now.exitCode;
          }
        }
        const performed = names(effects);
        expect(performed.filter((name) => name === 'exit').length).to.be.at.most(1);
        expect(performed.filter((name) => name === 'release').length).to.be.at.most(1);
        expect(performed.filter((name) => name === 'kill').length).to.be.at.most(1);
        expect(performed.indexOf('exit') === -1 || performed.indexOf('kill') < performed.indexOf('exit')).to.equal(true);
        if (decided !== null) {
          expect(now.exitCode).to.equal(decided);
        }
      }),
    );
  });
});
