/**
 * Chapters of the manuals of pasta and passt.
 */
import type { Chapter } from './text.ts';

export const FORWARDING: Chapter = {
  heading: 'FORWARDED PORTS',
  blocks: [
    'A <SPEC> of --tcp-ports, --udp-ports, --tcp-ns and --udp-ns is `none`, or parts with commas between them, which may ' +
      'have an address and an interface of the host before them:',
    { lines: ['[ADDRESS][%INTERFACE]/PART,PART...'] },
    'Without address the ports are those of all addresses, without interface those of all interfaces. Behind --tcp-ns and ' +
      '--udp-ns neither may stand. A part is one of these:',
    {
      terms: [
        { term: '<PORT> or <FIRST>`-`<LAST>', text: 'These ports, to the same ones.' },
        {
          term: '<PORTS>`:`<PORTS>',
          text:
            'To other ones, as many. An address with a slash may stand before the second, or an address alone in its place: that of ' +
            'another host in reach of the guest.',
        },
        { term: '`~`<PORTS>', text: 'Without these. With nothing else: all but these.' },
        {
          term: '`all`',
          text: 'All but those that the host gives to connections of its own. What of these is taken already is left out.',
        },
        {
          term: '`auto`',
          text: 'Those on which somebody listens at the other side at the time. With ports: of these ports. Not with `passt`.',
        },
      ],
    },
    'For example `22`, `8080:80`, `2000-2010,~2005`, `192.0.2.1%eth0/443`, `[2001:db8::1]/80:10.0.0.1/8080`, ' +
      '`1024-2047,auto`. Each of the four options may be given several times. A port that can not be had ends the start, ' +
      'unless it comes from `all` or `auto`.',
    'Ports below 1024 need a host that gives them to all users (`sysctl net.ipv4.ip_unprivileged_port_start`), a ' +
      'capability, or a socket that was handed in (--listen-fd).',
  ],
};

export const SIGNALS: Chapter = {
  heading: 'SIGNALS',
  blocks: [
    {
      terms: [
        {
          term: 'SIGTERM, SIGQUIT',
          text: 'Ends the run, with status 0. A command that handles the signal gets it first, and two seconds.',
        },
        {
          term: 'SIGINT, SIGHUP',
          text: 'Likewise, with status 130 and 129. A command that handles or ignores SIGINT decides itself what it means.',
        },
        { term: 'SIGUSR2', text: 'Shows all counters.' },
      ],
    },
  ],
};

export const ENVIRONMENT: Chapter = {
  heading: 'ENVIRONMENT',
  blocks: [
    {
      terms: [
        { term: 'SHELL', text: 'What `pasta` runs when no command is given.' },
        {
          term: 'LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES',
          text: 'Sockets that were handed in, as with `sd_listen_fds`(3): see --listen-fd.',
        },
        {
          term: 'XDG_RUNTIME_DIR',
          text:
            'Where the control socket of a run without --conf-path is, `ravioli/PID.sock` in there, and the one that tells of its state, ' +
            '`ravioli/PID.status`. For root without it `/run`.',
        },
        {
          term: 'NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID',
          text:
            'A service manager, which is told of readiness, state and end, and that the worker answers: see `sd_notify`(3). Where a command ' +
            'is run these are its own, and nothing is told for it.',
        },
      ],
    },
  ],
};

export const FILES: Chapter = {
  heading: 'FILES',
  blocks: [
    {
      terms: [
        { term: '`/etc/resolv.conf`', text: 'The resolvers of the host. Changes are followed.' },
        { term: '`/dev/net/tun`', text: 'Has to be open to the user, where the guest is a namespace.' },
        { term: '`/run/netns/`<NAME>', text: 'What --netns <NAME> means.' },
      ],
    },
  ],
};

export const PASTA_EXAMPLES: Chapter = {
  heading: 'EXAMPLES',
  blocks: [
    'A shell in a namespace with the network of this host, then a command that is seen at port 8080 of the host:',
    { lines: ['pasta --config-net', 'pasta --config-net -t 8080:80 -- nginx -g "daemon off;"'] },
    'The network of a namespace that exists:',
    { lines: ['pasta --config-net --netns /run/user/1000/netns/box -P box.pid'] },
    'A namespace that reaches the host by its loopback, and nothing else:',
    { lines: ['pasta --splice-only -T 5432 -- psql -h 127.0.0.1'] },
  ],
};

export const PASST_EXAMPLES: Chapter = {
  heading: 'EXAMPLES',
  blocks: [
    'A machine whose SSH is at port 2222 of the host:',
    {
      lines: [
        'passt --socket /run/user/1000/box.sock -t 2222:22',
        'qemu-system-x86_64 ... \\',
        '  -netdev stream,id=n,server=off,addr.type=unix,addr.path=/run/user/1000/box.sock \\',
        '  -device virtio-net-pci,netdev=n',
      ],
    },
  ],
};

export const NOTES: Chapter = {
  heading: 'NOTES',
  blocks: [
    'The options, the names and what is printed are meant to be those of the programs `pasta` and `passt` as of October ' +
      '2026, so that what calls them may call this. Long options may be shortened as long as they are not ambiguous, a value ' +
      'may follow in the next word or behind an equals sign, and options end at the first word that is none.',
  ],
};
