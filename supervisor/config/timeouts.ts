/**
 * The options that say how long a TCP connection or a UDP flow may stay as it is: in seconds, as people think of them; ms from here on.
 */
import type { Draft } from './draft.ts';
import type { OptionRow } from './options.ts';
import { secondsValue } from './values.ts';

type Field = 'tcpHandshakeTimeout' | 'tcpIdleTimeout' | 'tcpHalfClosedTimeout' | 'tcpKeepalive' | 'udpTimeout' | 'udpStreamTimeout';

/** `zero` as in secondsValue. */
function row(long: string, field: Field, zero: string | null, help: string): OptionRow {
  const set = (draft: Draft, value: string): void => {
    draft[field] = secondsValue(`--${long}`, value, zero);
  };
  return { long, argument: 'SECONDS', modes: 'both', help, set };
}

/** In the order of `--help`. */
export const TIMEOUTS: readonly OptionRow[] = [
  row('tcp-handshake-timeout', 'tcpHandshakeTimeout', null, 'How long the guest may leave our SYN unanswered; default 19'),
  row('tcp-idle-timeout', 'tcpIdleTimeout', 'no limit', 'How long a connection may carry nothing, 0 for no limit; default 7200'),
  row('tcp-half-closed-timeout', 'tcpHalfClosedTimeout', 'no limit', 'The same once one end has closed; default 7200'),
  row('tcp-keepalive', 'tcpKeepalive', 'no questions', 'Ask a guest that has been silent so long whether it is there; default 0, never'),
  row('udp-timeout', 'udpTimeout', 'no limit', 'How long a UDP flow is kept that nobody has answered; default: as the host, 30'),
  row(
    'udp-stream-timeout',
    'udpStreamTimeout',
    'no limit',
    'How long an idle UDP flow is kept that was answered; default: as the host, 120',
  ),
];
