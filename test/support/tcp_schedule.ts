/**
 * What a run of the TCP model is given: how the guest, the world around the worker and its kernel are, and a schedule of steps.
 */
export interface GuestOptions {
  iss: number;
  sourcePort: number;
  destinationPort: number;
  mss: number;
  /** Shift offered, −1: none. */
  windowScale: number;
  /** Bytes of the receive buffer at first. */
  buffer: number;
  /** Hands over superframes of so many bytes at most; 0: single segments. */
  superframe: number;
  /** Probes a closed window with a byte of data rather than with an old sequence number. */
  probesWithData: boolean;
  keepsOutOfOrder: boolean;
  /** Offers SACK, and timestamps; the timestamp clock at time 0. */
  sack: boolean;
  /** Tells by SACK what came twice (RFC 2883). */
  tellsDuplicates: boolean;
  timestamps: boolean;
  timestampStart: number;
  /** How it answers the SYN of another when it listens. */
  answer: 'accept' | 'reset' | 'silence';
}

export interface WorldOptions extends Omit<GuestOptions, 'sourcePort' | 'destinationPort'> {
  workerIss: number;
  ipv6: boolean;
  mtu: number;
  /** Superframes of the worker are cut into packets before anything happens to them. */
  cuts: boolean;
  /** Silence of so many ms has the worker ask the guest whether it is there, 0: none. */
  keepAlive: number;
  peekOffset: boolean;
  sendBuffer: number;
  overhead: number;
  refused: boolean;
  /** Who begins the connection; `both`: their SYNs cross, or nearly. */
  opener: 'guest' | 'host' | 'both';
}

/** An ordinary connection: what a kept schedule says nothing of. */
export const USUAL: WorldOptions = {
  iss: 1000,
  workerIss: 2000,
  mss: 1460,
  windowScale: 7,
  buffer: 65_535,
  superframe: 0,
  probesWithData: false,
  keepsOutOfOrder: true,
  sack: false,
  tellsDuplicates: true,
  timestamps: false,
  timestampStart: 0,
  answer: 'accept',
  ipv6: false,
  mtu: 1500,
  cuts: false,
  keepAlive: 0,
  peekOffset: true,
  sendBuffer: 87_040,
  overhead: 2,
  refused: false,
  opener: 'guest',
};

export type StepKind =
  | 'guestWrite'
  | 'guestRead'
  | 'guestClose'
  | 'guestReset'
  | 'guestShrink'
  | 'guestRenege'
  | 'guestKeepAlive'
  | 'guestRepeatFin'
  | 'guestReopen'
  | 'hostWrite'
  | 'hostRead'
  | 'hostUrgent'
  | 'hostClose'
  | 'hostReset'
  | 'hostReopen'
  | 'answer'
  | 'accept'
  | 'call'
  | 'toGuest'
  | 'toWorker'
  | 'pickToGuest'
  | 'pickToWorker'
  | 'dropToGuest'
  | 'dropToWorker'
  | 'doubleToGuest'
  | 'doubleToWorker'
  | 'damageToWorker'
  | 'tooBig'
  | 'refuse'
  | 'limitSend'
  | 'fail'
  | 'advance'
  | 'run'
  | 'storm'
  | 'finish'
  | 'flight';

export interface Step {
  kind: StepKind;
  /** How many bytes, frames or milliseconds, or which frame. */
  n: number;
  /** Whether the worker's loop runs before the next step. */
  turns: boolean;
}

/** A step as it is kept in a file: kind, n, and `true` where the loop does not run. */
export type KeptStep = [StepKind, number] | [StepKind, number, true];

/** A schedule that failed once, as it is kept to be run first from then on. */
export interface KeptSchedule {
  /** What it broke. */
  broke: string;
  /** What differs from USUAL. */
  options: Partial<WorldOptions>;
  steps: KeptStep[];
}

export function keptStep({ kind, n, turns }: Step): KeptStep {
  return turns ? [kind, n] : [kind, n, true];
}

export function stepOf([kind, n, straightOn]: KeptStep): Step {
  return { kind, n, turns: straightOn !== true };
}

/** The schedule as text that can be kept: one step a line. */
export function describeSchedule(options: WorldOptions, steps: readonly Step[]): string {
  const unusual = Object.entries(options).filter(([name, value]) => USUAL[name as keyof WorldOptions] !== value);
  const lines = steps.map((step) => `      ${JSON.stringify(keptStep(step))}`);
  return `    "options": ${JSON.stringify(Object.fromEntries(unusual))},\n    "steps": [\n${lines.join(',\n')}\n    ]`;
}
