/**
 * Every exit status that a command of ours gives of its own, and what it means. The manuals have their tables from here; the launcher
 * (native/start.c), which can't read this, gives FAILED or what the run has given.
 */

/** All went well, or the end was asked for. */
export const EXIT_DONE = 0;
/** What was asked for is wrong or can't be had, or a part of ours has failed. */
export const EXIT_FAILED = 1;
/** The run that was asked for a change has refused, and is as it was. */
export const EXIT_REFUSED = 2;
/** SIGHUP and SIGINT: 128 and the signal's number, as a shell says it. */
export const EXIT_HANGUP = 129;
export const EXIT_INTERRUPTED = 130;

/** What a command says by one status. */
export interface StatusMeaning {
  /** A number, or words for several. */
  readonly status: number | string;
  readonly meaning: string;
}

const FAILED: StatusMeaning = {
  status: EXIT_FAILED,
  meaning:
    "An option or a value is wrong, something that was asked for can't be had (a port, a file, a namespace, an interface), or a part of " +
    'the program has failed. One line on the standard error output says what, and what to do. Nothing is left running.',
};
const SIGNALLED: readonly StatusMeaning[] = [
  { status: EXIT_HANGUP, meaning: 'SIGHUP asked for the end.' },
  { status: EXIT_INTERRUPTED, meaning: 'SIGINT asked for the end.' },
];

/** Of the commands that give a network. */
export const NETWORK_STATUSES: Readonly<Record<'pasta' | 'passt', readonly StatusMeaning[]>> = {
  pasta: [
    {
      status: EXIT_DONE,
      meaning:
        'In the background: the network is ready. In the foreground: the namespace that was served has gone, or SIGTERM or SIGQUIT asked ' +
        'for the end. Also for --help and --version.',
    },
    FAILED,
    { status: 'that of the command', meaning: 'A command was run, and has ended so.' },
    { status: '128 + signal', meaning: 'A command was run, and the signal of that number has ended it.' },
    ...SIGNALLED,
  ],
  passt: [
    {
      status: EXIT_DONE,
      meaning:
        'In the background: a machine may connect. In the foreground: the last machine has left (--one-off, --fd), or SIGTERM or SIGQUIT ' +
        'asked for the end. Also for --help, --version and --print-capabilities.',
    },
    FAILED,
    ...SIGNALLED,
  ],
};

const DONE: StatusMeaning = { status: EXIT_DONE, meaning: 'It is done.' };

/** Of the commands that talk to a run. */
export const CLIENT_STATUSES: Readonly<Record<'pesto' | 'forward', readonly StatusMeaning[]>> = {
  pesto: [
    DONE,
    { status: EXIT_FAILED, meaning: "An option or a value is wrong, the run can't be reached, or it has refused and nothing has changed." },
  ],
  forward: [
    DONE,
    { status: EXIT_FAILED, meaning: "An option or a value is wrong, or the run can't be found or reached." },
    { status: EXIT_REFUSED, meaning: 'The run has refused, and nothing has changed.' },
  ],
};
