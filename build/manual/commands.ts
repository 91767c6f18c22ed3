/**
 * The commands: what each is, and where its options come from.
 */
import { helpOf, SYNOPSES } from '../../supervisor/config/help.ts';
import type { DescribedOption } from '../../supervisor/config/option-line.ts';
import { OPTIONS } from '../../supervisor/config/options.ts';
import { FORWARD_OPTIONS } from '../../supervisor/control/forward.ts';
import { PESTO_OPTIONS } from '../../supervisor/control/pesto.ts';
import { CLIENT_STATUSES, NETWORK_STATUSES, type StatusMeaning } from '../../supervisor/exit-status.ts';
import { SLIRP_OPTIONS, SLIRP_SYNOPSIS } from '../../supervisor/slirp/options.ts';
import { ENVIRONMENT, FILES, FORWARDING, NOTES, PASTA_EXAMPLES, PASST_EXAMPLES, SIGNALS } from './chapters.ts';
import { DETAILS } from './details.ts';
import type { Block, Chapter } from './text.ts';

/** Options under one heading; null = there is but one group. */
export interface OptionGroup {
  readonly title: string | null;
  readonly rows: readonly DescribedOption[];
}

export interface Command {
  readonly name: string;
  /** What it does, in half a line. */
  readonly purpose: string;
  readonly synopsis: readonly string[];
  readonly description: readonly Block[];
  readonly groups: readonly OptionGroup[];
  /** By option, what is said of it beyond the line of --help. */
  readonly details: Readonly<Record<string, string>>;
  readonly chapters: readonly Chapter[];
  /** What stands behind the options: for the completions. */
  readonly operands: 'command' | 'none' | 'path' | 'actions';
}

/** By the option that begins a group. */
export const GROUP_TITLES: Readonly<Record<string, string>> = {
  debug: 'The process',
  mtu: 'Addresses and the link of the guest',
  outbound: 'The way out',
  dns: 'Names',
  'no-tcp': 'Protocols and how long they may idle',
  'map-host-loopback': 'How guest and host reach each other',
  hostname: 'What the guest is called',
  'tcp-ports': 'Forwarded ports',
  socket: 'Virtual machines',
  'ns-ifname': 'Namespaces',
};

function groupsOf(mode: 'pasta' | 'passt'): OptionGroup[] {
  const groups: { title: string | null; rows: DescribedOption[] }[] = [];
  for (const row of OPTIONS) {
    const title = GROUP_TITLES[row.long];
    if (title !== undefined || groups.length === 0) groups.push({ title: title ?? null, rows: [] });
    if (row.modes === 'both' || row.modes === mode) groups[groups.length - 1]?.rows.push({ ...row, help: helpOf(row) });
  }
  return groups.filter(({ rows }) => rows.length > 0);
}

function exitStatus(meanings: readonly StatusMeaning[]): Chapter {
  return { heading: 'EXIT STATUS', blocks: [{ terms: meanings.map(({ status, meaning }) => ({ term: String(status), text: meaning })) }] };
}

function seeAlso(...names: readonly string[]): Chapter {
  return { heading: 'SEE ALSO', blocks: [`${names.map((name) => `\`${name}\`(${name === 'namespaces' ? 7 : 1})`).join(', ')}.`] };
}

const PASTA: Command = {
  name: 'pasta',
  purpose: 'a network for a command or a network namespace, without privileges',
  synopsis: SYNOPSES.pasta,
  description: [
    'Gives a network namespace a network: its TCP connections, UDP datagrams and pings leave this host through ordinary ' +
      'sockets of the user who has started it. No root, no firewall rule, no program with privileges is needed.',
    'With <COMMAND>, or with no operand for a shell, `pasta` makes new user, network, mount, IPC, UTS and PID namespaces ' +
      'and runs the command there, as their root; it stays in the foreground, and its exit status is that of the command. ' +
      'With <PID> or --netns it serves namespaces that exist: it goes into the background once the network is ready, and ' +
      'leaves when the namespace goes.',
    'The guest has the addresses and routes of the host. --config-net sets them up in the namespace; without it the ' +
      'interface is there and down, and DHCP, router advertisements and DHCPv6 answer whoever asks. What changes on the host ' +
      'while it runs is followed.',
    'It is made of processes that are confined one by one. The one that reads the packets of the guest can open no file, ' +
      'socket or program; each is named in `ps` by its task.',
  ],
  groups: groupsOf('pasta'),
  details: DETAILS,
  chapters: [
    FORWARDING,
    SIGNALS,
    exitStatus(NETWORK_STATUSES.pasta),
    ENVIRONMENT,
    FILES,
    PASTA_EXAMPLES,
    NOTES,
    seeAlso('passt', 'pesto', 'ravioli', 'unshare', 'namespaces'),
  ],
  operands: 'command',
};

const PASST: Command = {
  name: 'passt',
  purpose: 'a network for a virtual machine, without privileges',
  synopsis: SYNOPSES.passt,
  description: [
    'Gives a virtual machine a network: its TCP connections, UDP datagrams and pings leave this host through ordinary ' +
      'sockets of the user who has started it. The machine connects to a UNIX socket, as QEMU does with `-netdev stream`.',
    'The guest is told the addresses, routes and servers of the host by DHCP, router advertisements and DHCPv6. What ' +
      'changes on the host while it runs is followed. One machine is served at a time; when it has left, the next one may ' +
      'come.',
    'It goes into the background once a machine may connect, unless --foreground is given.',
    'It is made of processes that are confined one by one. The one that reads the packets of the guest can open no file, ' +
      'socket or program; each is named in `ps` by its task.',
  ],
  groups: groupsOf('passt'),
  details: DETAILS,
  chapters: [
    FORWARDING,
    SIGNALS,
    exitStatus(NETWORK_STATUSES.passt),
    ENVIRONMENT,
    FILES,
    PASST_EXAMPLES,
    NOTES,
    seeAlso('pasta', 'pesto', 'qrap', 'ravioli'),
  ],
  operands: 'none',
};

const PESTO: Command = {
  name: 'pesto',
  purpose: 'show or change which ports a pasta or passt forwards',
  synopsis: ['pesto [OPTION]... PATH'],
  description: [
    'Asks the run of `pasta` or `passt` that listens at <PATH>, which it was given by --conf-path, for its rules, and gives ' +
      'it others. Without -t, -u, -T, -U and -C the rules are printed.',
    'The options are steps, in their order. Of those that follow neither -A nor -D the first -t or -u replaces all of both, ' +
      'and the first -T or -U all of both of these. Connections that are there go on. When the run can not have all that is ' +
      'asked for, nothing changes.',
  ],
  groups: [{ title: null, rows: PESTO_OPTIONS }],
  details: {},
  chapters: [
    exitStatus(CLIENT_STATUSES.pesto),
    {
      heading: 'EXAMPLES',
      blocks: [
        {
          lines: [
            'pesto /run/user/1000/box.sock',
            'pesto -A -t 8080:80 /run/user/1000/box.sock',
            'pesto -s -C HOST -t 443 -u 443 /run/user/1000/box.sock',
          ],
        },
      ],
    },
    seeAlso('pasta', 'passt', 'ravioli'),
  ],
  operands: 'path',
};

const RAVIOLI: Command = {
  name: 'ravioli',
  purpose: 'pasta and passt by another name, and what talks to their runs',
  synopsis: [
    'ravioli pasta [OPTION]... [COMMAND [ARGUMENT]...]',
    'ravioli passt [OPTION]...',
    'ravioli forward list [--json] [--path PATH | --pid PID]',
    'ravioli forward add [OPTION]... [--json] [--path PATH | --pid PID]',
    'ravioli forward del [OPTION]... [--json] [--path PATH | --pid PID]',
    'ravioli status [--json] [PID]',
    'ravioli flows [--json] [PID]',
    'ravioli doctor [--json]',
    'ravioli run NAME | FILE',
  ],
  description: [
    '`ravioli pasta` and `ravioli passt` are the commands of those names. `ravioli forward` shows or changes which ports ' +
      'runs of this user forward: `list` shows them, `add` and `del` change one run. What is there stays as it is, ' +
      'connections are not disturbed, and either all that is asked for is in force or nothing has changed.',
    'Without --path and --pid `list` shows all runs of this user that have no --conf-path; `add` and `del` need the only one.',
    '`ravioli status` shows the runs of this user, or that of process <PID>: whom each serves, addresses, forwarded ports and ' +
      'counters. `ravioli flows` shows a line for each connection, exchange of datagrams and ping: the ends of the guest and of ' +
      'the far host as the guest knows them, the socket of the host, how long it is there, and the bytes of connections.',
    '`ravioli doctor` looks whether this machine lets this user have what is needed, and says for each requirement what was ' +
      'found and what to do; the last one is a trial. It leaves with status 1 when one has failed. Nothing is changed.',
    '`ravioli run` serves, in the foreground, the network that a file describes: ~/.config/ravioli/NAME.toml, or <FILE> if that ' +
      'has a slash in it. Its keys are `mode`, "pasta" or "passt", and the long options of that command, with texts, numbers, several ' +
      'of them in brackets, or `true`. A network of `passt` listens at $XDG_RUNTIME_DIR/ravioli/NAME.socket unless `socket` says ' +
      'where. `systemctl --user start ravioli@NAME` has systemd run it.',
  ],
  groups: [{ title: null, rows: FORWARD_OPTIONS }],
  details: {},
  chapters: [
    exitStatus(CLIENT_STATUSES.forward),
    {
      heading: 'EXAMPLES',
      blocks: [{ lines: ['ravioli forward list --json', 'ravioli forward add -t 8080:80 -u 53', 'ravioli forward del -t 8080:80'] }],
    },
    seeAlso('pasta', 'passt', 'pesto'),
  ],
  operands: 'actions',
};

const QRAP: Command = {
  name: 'qrap',
  purpose: 'start a QEMU that can not connect to passt by itself',
  synopsis: ['qrap DESCRIPTOR COMMAND [WORD]...', 'qrap [WORD]...'],
  description: [
    'QEMU connects to `passt` by itself from 7.2 on. For an older one qrap makes the connection and becomes QEMU, which ' +
      'finds it as an open descriptor. It takes the first run of `passt` that has no machine, of those at ' +
      '/tmp/passt_1.socket and on, where `passt` listens unless --socket is given.',
    'With a descriptor, a number from 3 on, and a command: the command is started with its words as they are. One of them is to ' +
      'name the descriptor.',
    'Without: QEMU is looked for as `kvm`, `qemu-kvm`, `/usr/libexec/qemu-kvm`, `qemu-system-` and the machine, and `qemu`. ' +
      'Its network becomes descriptor 5: the first card of -device keeps its model, address and place, further ones are left out ' +
      'with all of -netdev, -net and -nic, and where there is none a virtio-net-pci is added. So qrap can be the <emulator> of ' +
      'a domain of libvirt. Words that start no machine (-version, -help, -machine none) go to QEMU without a connection.',
  ],
  groups: [],
  details: {},
  chapters: [
    exitStatus([
      { status: 1, meaning: 'Nothing was started. A line on stderr says why.' },
      { status: 'other', meaning: 'That of the command.' },
    ]),
    {
      heading: 'EXAMPLES',
      blocks: [
        {
          lines: [
            'qrap 5 qemu-system-x86_64 -m 1024 disk.img \\',
            '  -device virtio-net-pci,netdev=n -netdev socket,id=n,fd=5',
            'qrap -m 1024 disk.img',
          ],
        },
      ],
    },
    seeAlso('passt'),
  ],
  operands: 'none',
};

const SLIRP4NETNS: Command = {
  name: 'slirp4netns',
  purpose: 'pasta, for callers of slirp4netns',
  synopsis: [SLIRP_SYNOPSIS],
  description: [
    'Gives the network namespace of process <PID>, or with --netns-type=path the one at <PATH>, a network of its own, whose ' +
      'interface is called <TAPNAME>, tap0 unless given. It stays in the foreground until it is ended.',
    'In the network, 10.0.2.0/24 unless --cidr says another, the guest is at 100, the host at 2, and the name server of the ' +
      'host at 3; with --enable-ipv6 the guest has an address of fd00::/64 too, and they are fd00::2 and fd00::3. Without ' +
      '--configure the interface is made, or taken when it is there, and left to be set up.',
    'With --netns-type=tapfd the first word is the number of an open tap, made with IFF_TAP | IFF_NO_PI and nothing else, whose owner ' +
      'sets it up; the run ends with it.',
    'At the socket of --api-socket each connection may ask for one thing in JSON: `add_hostfwd` forwards a port of the host, ' +
      '`list_hostfwd` shows them, `remove_hostfwd` takes one back by its number.',
  ],
  groups: [{ title: null, rows: SLIRP_OPTIONS }],
  details: {},
  chapters: [
    exitStatus(NETWORK_STATUSES.passt),
    {
      heading: 'EXAMPLES',
      blocks: [
        {
          lines: [
            'slirp4netns -c --mtu=65520 --api-socket /tmp/api 1234 tap0',
            'echo \'{"execute": "add_hostfwd", "arguments": {"proto": "tcp", "host_port": 8080, "guest_port": 80}}\' |',
            '  socat - UNIX-CONNECT:/tmp/api',
          ],
        },
      ],
    },
    seeAlso('pasta'),
  ],
  operands: 'none',
};

/** All that have a manual. */
export const COMMANDS: readonly Command[] = [PASTA, PASST, PESTO, QRAP, RAVIOLI, SLIRP4NETNS];
