import { expect } from 'chai';
import { Counter } from '../../../shared/counters.ts';
import { Verdict, counterOf } from '../../../worker/wire/verdict.ts';

describe('wire/verdict', () => {
  it('gives each verdict its counter', () => {
    expect(counterOf(Verdict.FRAGMENT)).to.equal(Counter.frames_fragment);
    expect(counterOf(Verdict.LOOPBACK_ADDRESS)).to.equal(Counter.frames_loopback_address);
    expect(counterOf(Verdict.UNKNOWN_ETHERTYPE)).to.equal(Counter.frames_unknown_protocol);
    expect(counterOf(Verdict.UNKNOWN_PROTOCOL)).to.equal(Counter.frames_unknown_protocol);
    expect(counterOf(Verdict.BAD_ADDRESS)).to.equal(Counter.frames_bad_address);
    expect(counterOf(Verdict.BAD_IPV4_CHECKSUM)).to.equal(Counter.frames_bad_checksum);
    expect(counterOf(Verdict.BAD_TCP)).to.equal(Counter.frames_malformed);
  });
});
