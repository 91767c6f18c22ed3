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
  timestamps: boolean;
  timestampStart: number;
  /** How it answers the SYN of another when it listens. */
  answer: 'accept' | 'reset' | 'silence';
}

export interface WorldOptions extends Omit<GuestOptions, 'sourcePort' | 'destinationPort'> {
  workerIss: number;
  ipv6: boolean;
  mtu: number;
  peekOffset: boolean;
  sendBuffer: number;
  overhead: number;
  refused: boolean;
}

export type StepKind =
  | 'guestWrite'
  | 'guestRead'
  | 'guestClose'
  | 'guestReset'
  | 'guestShrink'
  | 'hostWrite'
  | 'hostRead'
  | 'hostClose'
  | 'hostReset'
  | 'answer'
  | 'accept'
  | 'toGuest'
  | 'toWorker'
  | 'pickToGuest'
  | 'pickToWorker'
  | 'dropToGuest'
  | 'dropToWorker'
  | 'doubleToGuest'
  | 'doubleToWorker'
  | 'refuse'
  | 'limitSend'
  | 'advance'
  | 'run'
  | 'storm';

export interface Step {
  kind: StepKind;
  /** How many bytes, frames or milliseconds, or which frame. */
  n: number;
  /** Whether the worker's loop runs before the next step. */
  turns: boolean;
}
