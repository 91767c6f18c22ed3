/** Reading from /proc what a signal would do. */
import { expect } from 'chai';
import { dispositionOf, hasForeground } from '../../supervisor/signals.ts';

const SIGINT = 2;
const SIGTERM = 15;

const status = (ignored: string, caught: string) => () => `Name:\tx\nSigIgn:\t${ignored}\nSigCgt:\t${caught}\n`;
const stat = (pgrp: number, terminal: number, foreground: number) => () => `1 (a ) b) S 0 ${pgrp} 1 ${terminal} ${foreground} 0 0`;

describe('supervisor/signals', () => {
  it('tells handled, ignored and default apart, per signal', () => {
    expect(dispositionOf(1, SIGTERM, status('0000000000000000', '0000000000004000'))).to.equal('handled');
    expect(dispositionOf(1, SIGINT, status('0000000000000000', '0000000000004000'))).to.equal('default');
    expect(dispositionOf(1, SIGINT, status('0000000000000002', '0000000000000000'))).to.equal('ignored');
    expect(dispositionOf(1, 64, status('0000000000000000', '8000000000000000'))).to.equal('handled');
  });

  it('takes a process that is gone for one that handles nothing', () => {
    expect(
      dispositionOf(1, SIGTERM, () => {
        throw new Error('ENOENT');
      }),
    ).to.equal('default');
  });

  it('is in the foreground only as the terminal’s own process group', () => {
    expect(hasForeground('self', stat(10, 34816, 10))).to.equal(true);
    expect(hasForeground('self', stat(10, 34816, 11))).to.equal(false);
    expect(hasForeground('self', stat(10, 0, -1))).to.equal(false);
    expect(
      hasForeground(1, () => {
        throw new Error('ENOENT');
      }),
    ).to.equal(false);
  });
});
