/** The file of a network: what its keys become, and what is said of each mistake, with its line. */
import { expect } from 'chai';
import { wordsOfNetwork } from '../../../supervisor/service/network-file.ts';
import { UsageError } from '../../../supervisor/usage-error.ts';

const PLACE = { path: '/x/web.toml', socket: '/run/web.socket' };
const words = (text: string): readonly string[] => wordsOfNetwork(text, PLACE);

describe('supervisor/service/network-file', () => {
  it('a network for a machine is passt in the foreground, at the socket of its name', () => {
    expect(words('mode = "passt"')).to.deep.equal(['passt', '--foreground', '--socket=/run/web.socket']);
    expect(words('mode = "passt"\nsocket = "/run/other"')).to.deep.equal(['passt', '--foreground', '--socket=/run/other']);
    expect(wordsOfNetwork('mode = "passt"', { ...PLACE, socket: null })).to.deep.equal(['passt', '--foreground']);
  });

  it('takes options with texts, numbers and several of them, and those without a value', () => {
    const text = `
      # a comment
      mode = "pasta"
      netns = '/run/netns/box'   # mine
      mtu = 1500
      "tcp-ports" = ["8080:80", 443]
      udp-ports = "none"
      config-net = true
      no-icmp = false
    `;
    expect(words(text)).to.deep.equal([
      'pasta',
      '--foreground',
      '--netns=/run/netns/box',
      '--mtu=1500',
      '--tcp-ports=8080:80',
      '--tcp-ports=443',
      '--udp-ports=none',
      '--config-net',
    ]);
  });

  const mistakes: readonly (readonly [name: string, text: string, line: string])[] = [
    ['no TOML', 'mode = "passt"\nmtu 1500', '2: is no TOML: '],
    ['no mode', 'mtu = 1500', ' mode is missing or none; write mode = "passt" for a machine, mode = "pasta" for a namespace'],
    ['a mode that is none', '\nmode = "both"', '2: mode is missing or none; '],
    ['a mistyped key', 'mode = "passt"\ntcp-port = "80"', "2: 'tcp-port' is no key of a network of passt; write 'tcp-ports'"],
    ['underscores', 'mode = "passt"\nno_icmp = true', "2: 'no_icmp' is no key of a network of passt; write 'no-icmp'"],
    ['a letter', 'mode = "passt"\n\nt = 80', "3: 't' is no key of a network of passt; write 'tcp-ports'"],
    [
      'nonsense',
      'mode = "passt"\nfrobnicate = 1',
      "2: 'frobnicate' is no key of a network of passt; keys are the long options of its manual, and 'mode'",
    ],
    ['an option of the other', 'mode = "passt"\nconfig-net = true', "2: 'config-net' is no key of a network of passt; "],
    ['an option of processes', 'mode = "passt"\nforeground = true', "2: 'foreground' is no key of a network of passt; "],
    ['a table', 'mode = "passt"\n[ports]\ntcp = 80', "2: 'ports' is no key of a network of passt; "],
    ['a dotted key', 'mode = "passt"\nports.tcp = 80', "2: 'ports' is no key of a network of passt; "],
    ['a value for a switch', 'mode = "passt"\nno-tcp = "yes"', "2: 'no-tcp' is an option without a value; write 'no-tcp = true'"],
    [
      'no value',
      'mode = "passt"\nmtu = true',
      "2: 'mtu' takes BYTES; write a text in quotes, a whole number, or several of them in [brackets]",
    ],
    ['half a number', 'mode = "passt"\nmtu = 1.5', "2: 'mtu' takes BYTES; "],
    ['a list with a list', 'mode = "passt"\ntcp-ports = [["80"]]', "2: 'tcp-ports' takes SPEC; "],
    ['a value that is out of range', 'mode = "passt"\nmtu = 99999999', '2: --mtu '],
    ['the second of two values', 'mode = "passt"\n# x\ntcp-ports = ["80", "99999"]', "3: --tcp-ports '99999': "],
    ['what no process can be told', 'mode = "passt"\nhostname = "a\\u0000b"', "2: 'hostname' has a character that can be in no option; "],
    ['options that exclude each other', 'mode = "passt"\naddress = "192.0.2.1/24"\nnetmask = "255.0.0.0"', " --netmask '255.0.0.0': "],
    [
      'pasta without a namespace',
      'mode = "pasta"',
      ' a network of pasta needs a namespace; write netns = "PATH", or the namespace\'s name in /run/netns',
    ],
  ];
  for (const [name, text, line] of mistakes) {
    it(`tells of ${name}`, () => {
      const start = `/x/web.toml:${line}`;
      expect(() => words(text))
        .to.throw(UsageError)
        .with.property('message')
        .that.satisfies((message: string) => {
          expect(message.slice(0, start.length)).to.equal(start);
          return !message.includes('\n');
        });
    });
  }
});
