import { expect } from 'chai';
import { MAX_FORWARDED_PORTS, MAX_FORWARDING_RULES } from '../../../shared/limits.ts';
import { EMPTY_TABLE, makeTable, portsOf } from '../../../supervisor/forwarding/table.ts';
import { complaintAbout, tableOf } from '../../support/forwarding_words.ts';

/** `count` ranges that do not touch each other. */
function apart(count: number): string {
  return Array.from({ length: count }, (_, at) => 2000 + 2 * at).join(',');
}

/** Options that forward all ports of `count` addresses. */
function fullAddresses(count: number): string[] {
  return Array.from({ length: count }, (_, at) => ['-t', `127.0.0.${at + 1}/1-65535`]).flat();
}

describe('supervisor/forwarding/table', () => {
  it('has both sides apart, in the order of the words', () => {
    const { host, guest } = tableOf(['-T', '90', '-t', '80', '-u', '70', '-U', '60', '-t', '50']);
    expect(host.map(({ first }) => first)).to.eql([80, 70, 50]);
    expect(guest.map(({ first }) => first)).to.eql([90, 60]);
  });

  it('can not be changed', () => {
    const table = tableOf(['-t', '80', '-T', '80']);
    for (const part of [table, table.host, table.guest, EMPTY_TABLE, EMPTY_TABLE.host, EMPTY_TABLE.guest]) expect(part).to.be.frozen;
  });

  it('is empty without rules', () => expect(makeTable([])).to.eql(EMPTY_TABLE));

  it('has as many rules on each side as it may, and no more', () => {
    const both = tableOf(['-t', apart(MAX_FORWARDING_RULES), '-T', apart(MAX_FORWARDING_RULES)]);
    expect([both.host.length, both.guest.length]).to.eql([MAX_FORWARDING_RULES, MAX_FORWARDING_RULES]);
    expect(complaintAbout(['-t', apart(200), '-u', apart(56)])).to.match(
      /^--udp-ports '2000,.*,2110': more than 255 ranges are forwarded; join some of them$/,
    );
    expect(complaintAbout(['-T', apart(256)])).to.match(/^--tcp-ns .*: more than 255 ranges are forwarded/);
  });

  it('listens on as many ports as it may, and no more', () => {
    const most = tableOf([...fullAddresses(5), '-u', '1-5']);
    expect(portsOf(most.host)).to.equal(MAX_FORWARDED_PORTS);
    expect(complaintAbout([...fullAddresses(5), '-u', '1-6'])).to.equal(
      "--udp-ports '1-6': 327681 ports are forwarded, more than 327680; leave some out",
    );
  });
});
