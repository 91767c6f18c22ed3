/**
 * Every wrong word about forwarding has one line of its own: option, value, what is wrong, cure.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { faultOf } from '../../../supervisor/forwarding/rule.ts';
import { complaintAbout, tableOf } from '../../support/forwarding_words.ts';

const EVERYTHING = { ipv4: true, ipv6: true, tcp: true, udp: true, scan: true };
const PORTS = 'give ports like 80, 8000-8010 or 8080:80';
const ADDRESS = 'give it as 192.0.2.1 or [2001:db8::1]';
const MISSING = `a port is missing; ${PORTS}`;
const ZERO = 'port 0 can not be forwarded; ports are 1 to 65535';
const BOTH = "what listens on both families can't lead to";
const LOOPBACK = 'the namespace listens on its loopback only; give the ports alone';
const LACKS = 'lacks the target behind the colon; give one or leave the colon out';

/** Value of -t, and what is said about it behind option and value. */
const OF_ONE: readonly (readonly [string, string])[] = [
  ['', MISSING],
  [',', MISSING],
  ['80,', MISSING],
  [',80', MISSING],
  ['80,,81', MISSING],
  [':80', MISSING],
  ['~', MISSING],
  ['127.0.0.1/', MISSING],
  ['0.0.0.0/80:10.0.0.1/', MISSING],
  ['x', `'x' is not a port; ${PORTS}`],
  ['http', `'http' is not a port; ${PORTS}`],
  ['ALL', `'ALL' is not a port; ${PORTS}`],
  ['80a', `'80a' is not a port; ${PORTS}`],
  ['0x50', `'0x50' is not a port; ${PORTS}`],
  ['+80', `'+80' is not a port; ${PORTS}`],
  ['80 ', `'80 ' is not a port; ${PORTS}`],
  ['8e1', `'8e1' is not a port; ${PORTS}`],
  ['80-', `'80-' lacks an end of the range; ${PORTS}`],
  ['-80', `'-80' lacks an end of the range; ${PORTS}`],
  ['80-81-82', `'80-81-82' is not a port; ${PORTS}`],
  ['~~80', `'~80' is not a port; ${PORTS}`],
  ['~80:81', `'80:81' is not a port; ${PORTS}`],
  ['127.0.0.1', `'127.0.0.1' is not a port; ${PORTS}`],
  ['127.0.0.1:80', `'127.0.0.1' is not a port; ${PORTS}`],
  ['auto:80', `'auto' is not a port; ${PORTS}`],
  ['none,80', `'none' stands alone or not at all; ${PORTS}`],
  ['::1/none', `'none' stands alone or not at all; ${PORTS}`],
  ['0', ZERO],
  ['0-10', ZERO],
  ['80:0', ZERO],
  ['80-81:0-1', ZERO],
  ['65536', 'port 65536 is above 65535; give a lower one'],
  ['80-99999999999999999999', 'port 100000000000000000000 is above 65535; give a lower one'],
  ['80:65536', 'port 65536 is above 65535; give a lower one'],
  ['~65536', 'port 65536 is above 65535; give a lower one'],
  ['81-80', '81-80 runs backwards; give the lower port first'],
  ['80-81:91-90', '91-90 runs backwards; give the lower port first'],
  ['~81-80', '81-80 runs backwards; give the lower port first'],
  ['80-82:90', '80-82 (3) and 90 (1) are not equally many ports; give as many on both sides'],
  ['80:90-91', '80 (1) and 90-91 (2) are not equally many ports; give as many on both sides'],
  ['80:', `'80:' ${LACKS}`],
  ['80:/90', `'80:/90' ${LACKS}`],
  ['all:', `'all:' ${LACKS}`],
  ['all:80', "'all:80': ports that nobody named stay the same; give an address or nothing"],
  ['0.0.0.0/all:10.0.0.1,all:10.0.0.2', "'all:10.0.0.1' and 'all:10.0.0.2' contradict each other; leave one out"],
  ['0.0.0.0/all,all:10.0.0.2', "'all' and 'all:10.0.0.2' contradict each other; leave one out"],
  ['256.0.0.1/80', `'256.0.0.1' is not an IP address; ${ADDRESS}`],
  ['localhost/80', `'localhost' is not an IP address; ${ADDRESS}`],
  ['127.1/80', `'127.1' is not an IP address; ${ADDRESS}`],
  ['80/tcp', `'80' is not an IP address; ${ADDRESS}`],
  ['[::1/80', `'[::1' is not an IP address; ${ADDRESS}`],
  ['[]/80', `'[]' is not an IP address; ${ADDRESS}`],
  ['**/80', `'**' is not an IP address; ${ADDRESS}`],
  ['0.0.0.0/80:*/90', `'*' is not an IP address; ${ADDRESS}`],
  ['0.0.0.0/80:10.0.0.1%eth0/90', `'10.0.0.1%eth0' is not an IP address; ${ADDRESS}`],
  ['0.0.0.0/all:10.0.0.1/90', `'10.0.0.1/90' is not an IP address; ${ADDRESS}`],
  ['80:[::1]:90', `'[::1]:90' is not an IP address; ${ADDRESS}`],
  ['80:10.0.0.1', `${BOTH} 10.0.0.1; write 0.0.0.0/ before the ports`],
  ['80:10.0.0.1/90', `${BOTH} 10.0.0.1; write 0.0.0.0/ before the ports`],
  ['all:[2001:db8::9]', `${BOTH} 2001:db8::9; write [::]/ before the ports`],
  ['::1/80:10.0.0.1', "::1 can't lead to 10.0.0.1: that is another family; give an IPv6 target"],
  ['127.0.0.1/80:2001:db8::9', "127.0.0.1 can't lead to 2001:db8::9: that is another family; give an IPv4 target"],
  ['0.0.0.0/80:224.0.0.1/90', '224.0.0.1 is no unicast address; a target must be one'],
  ['0.0.0.0/80:255.255.255.255', '255.255.255.255 is no unicast address; a target must be one'],
  ['::/80:ff02::1', 'ff02::1 is no unicast address; a target must be one'],
  ['80,80', 'names port 80 twice; leave one out'],
  ['80-90,85-95', 'names ports 85-90 twice; leave one out'],
];

/** Whole lines. */
const OF_SEVERAL: readonly (readonly [string, string])[] = [
  ['-t %/80', "--tcp-ports '%/80': interface '': is not an interface name; it has 1 to 15 bytes without blanks, slashes and colons"],
  [
    '-t %0123456789abcdef/80',
    "--tcp-ports '%0123456789abcdef/80': interface '0123456789abcdef': is too long; an interface name has at most 15 bytes",
  ],
  ['-t 80 -t none', "--tcp-ports 'none': ports were given before, '80'; leave one of the two out"],
  ['-u auto -u none', "--udp-ports 'none': ports were given before, 'auto'; leave one of the two out"],
  ['-t 80 -t 70-90', "--tcp-ports '70-90': conflicts with --tcp-ports '80', which forwards port 80 as well; leave one out"],
  ['-t auto -t 80', "--tcp-ports '80': conflicts with --tcp-ports 'auto', which forwards port 80 as well; leave one out"],
  [
    '-t ::1/80-99 -t 90-110',
    "--tcp-ports '90-110': conflicts with --tcp-ports '::1/80-99', which forwards ports 90-99 as well; leave one out",
  ],
  ['-t 80 -t 80', "--tcp-ports '80': names port 80 twice; leave one out"],
  ['-T 80 -T all', "--tcp-ns 'all': conflicts with --tcp-ns '80', which forwards port 80 as well; leave one out"],
  ['-T ::1/80', `--tcp-ns '::1/80': ${LOOPBACK}`],
  ['-U */80', `--udp-ns '*/80': ${LOOPBACK}`],
  ['-U %lo/80', `--udp-ns '%lo/80': ${LOOPBACK}`],
  ['-T 80:127.0.0.2', `--tcp-ns '80:127.0.0.2': ${BOTH} 127.0.0.2; leave the target out, or give -4`],
  ['-U 80:[::1]', `--udp-ns '80:[::1]': ${BOTH} ::1; leave the target out, or give -6`],
  ['-4 -t ::1/80', "--tcp-ports '::1/80': ::1 is an IPv6 address, but IPv6 is switched off; give another one"],
  ['-6 -t 0.0.0.0/80', "--tcp-ports '0.0.0.0/80': 0.0.0.0 is an IPv4 address, but IPv4 is switched off; give another one"],
  ['--no-tcp -t 80', "--tcp-ports '80': TCP is switched off by --no-tcp; leave one of the two out"],
  ['-U auto --no-udp', "--udp-ns 'auto': UDP is switched off by --no-udp; leave one of the two out"],
];

describe('supervisor/forwarding: every wrong word has its own line', () => {
  for (const [value, rest] of OF_ONE) {
    it(`-t '${value}'`, () => expect(complaintAbout(['-t', value])).to.equal(`--tcp-ports '${value}': ${rest}`));
  }
  for (const [line, whole] of OF_SEVERAL) {
    it(line, () => expect(complaintAbout(line.split(' '))).to.equal(whole));
  }

  it("'auto' is refused where nobody can look into the guest", () => {
    expect(complaintAbout(['-t', '80,auto'], false)).to.equal(
      "--tcp-ports '80,auto': 'auto' needs a namespace to look into; give ports, or 'all'",
    );
  });

  it('nothing but one printable line is ever thrown, and what is accepted is right', () => {
    const word = fc.constantFrom(
      ...['80', '0', '65535', '65536', '81-90', '-', '~', ':', '/', ',', '%', '*', '[', ']', 'all', 'auto', 'none', ' ', '\u0007', 'é'],
      ...['0.0.0.0', '127.0.0.1', '::', '::1', '[fd00::1]', 'lo', ':80', ',~85', '10.0.0.1', '/80', ':10.0.0.1/', '999999999999999999999'],
    );
    const option = fc.constantFrom('-t', '-u', '-T', '-U', '-4', '-6');
    const value = fc.array(word, { maxLength: 7 }).map((words) => words.join(''));
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(fc.tuple(option, value), { minLength: 1, maxLength: 3 }), (given) => {
        const words = given.flatMap(([name, text]) => (/[46]/.test(name) ? [name] : [name, text]));
        const complaint = complaintAbout(words);
        expect(complaint).to.match(/^[^\x00-\x1f\x7f]+$/);
        if (complaint !== 'accepted') return;
        const { host, guest } = tableOf(words);
        for (const rule of [...host, ...guest]) expect(faultOf(rule, EVERYTHING)).to.equal(null);
        accepted += host.length + guest.length;
      }),
      { numRuns: 3000 },
    );
    expect(accepted).to.be.greaterThan(10);
  });
});
