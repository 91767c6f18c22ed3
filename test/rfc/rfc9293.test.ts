/**
 * RFC 9293, requirement by requirement, numbered as in its appendix B. The tests are in the other files of that number in this folder.
 *
 * What ravioli is to this standard: one end of the guest's connections. Its "application" is a socket of the host, behind which the
 * host's kernel has a connection of its own; so calls of a user (OPEN, SEND, …) are events of that socket, or don't exist.
 */
import { absent, describeTable, differs, numbered, takenOver, type Table } from './table.ts';

const NO_USER = 'no program calls this end of the connection: the socket that does has a kernel of its own';
const NO_SOURCE_ROUTE = 'the guest is one link away; source routes of its packets lead nowhere';

const PUSH_AND_WINDOW: Table = {
  'MUST-1': 'the window is an unsigned number',
  'MUST-34': 'a window that shrinks does no harm',
  'MUST-35': 'a closed window is probed as the standard says',
  'MUST-36': differs(
    'a window of zero is probed with a byte',
    'the probe has an old number and no data, as kernels have it: every TCP answers it',
  ),
  'MUST-37': 'a window may stay zero as long as probes are answered',
  'MUST-60': 'data is not buffered without end for want of a PUSH',
  'MUST-61': differs(
    'the last segment of what is buffered has PSH',
    'not where it fills the window or a frame exactly: a look behind it would cost a call, and no kernel waits for PSH',
  ),
  'MUST-66': 'RST and URG are processed though the window is zero',
  'REC-1': 'windows are handled as 32-bit numbers',
  'SHLD-14': 'the window announced does not shrink from the right',
  'SHLD-15': 'no new data is sent into a window that has shrunk',
  'SHLD-16': 'old data within the window is sent again',
  'SHLD-17': 'data right of a window that has shrunk ends no connection',
  'SHLD-27': differs(
    'successive PSH bits are collapsed',
    'each read that empties the socket is one frame with one PSH, however many writes it was',
  ),
  'SHLD-28': 'segments are as large as can be',
  'SHLD-29': 'the first probe comes after one RTO',
  'SHLD-30': 'probes come ever more rarely',
  'MAY-7': differs('old data beyond the window may be sent again', 'a window that has shrunk is respected: nothing beyond it is sent'),
  'MAY-8': 'the window may be closed for as long as the far end reads nothing',
  'MAY-15': absent('SEND may have a PUSH', NO_USER),
  'MAY-16': absent('data without PUSH may be aggregated', 'what one read of the socket yields is sent as it is'),
  'MAY-17': absent('a PSH that came may be told to the user', NO_USER),
};

const URGENT: Table = {
  'MUST-30': 'the urgent pointer is supported: urgent data is delivered in its place of the stream',
  'MUST-31': 'urgent data may be of any length',
  'MUST-32': absent('the user is told of urgent data', 'urgent data is passed on in line: DECISIONS.md tells why'),
  'MUST-33': absent('the user can learn how much urgent data there is', NO_USER),
  'MUST-62': 'the urgent pointer points behind the urgent data, and moves nothing in the stream',
  'SHLD-13': 'the urgent mechanism is not used by us',
};

const OPTIONS: Table = {
  'MUST-4': 'End of Option List, No-Operation and Maximum Segment Size are supported',
  'MUST-5': 'any segment may have options',
  'MUST-6': 'an option that is not known is ignored',
  'MUST-7': 'an illegal option length does no harm',
  'MUST-14': 'the MSS option is sent and received',
  'MUST-15': 'without the option 536 or 1220 are assumed',
  'MUST-16': 'the size of a segment follows from the MSS, the link and the options',
  'MUST-64': 'options may begin at any byte',
  'MUST-65': 'no MSS option in segments without SYN',
  'MUST-67': 'the MSS announced is what the link lets us receive, less the headers',
  'MUST-68': 'each option that we send has its length',
  'MUST-69': 'the header is filled up with zeros behind an End of Option List',
  'SHLD-5': 'the MSS option is sent unless the default holds',
  'SHLD-6': 'the MSS follows the path MTU',
  'MAY-3': 'the MSS option is always sent',
};

const CHECKSUM_AND_ISN: Table = {
  'MUST-2': 'every segment sent has a checksum',
  'MUST-3': 'every checksum received is checked',
  'MUST-8': 'the initial sequence number follows a clock',
  'MUST-9': 'it can not be computed from outside',
  'SHLD-1': 'it has a keyed hash of the connection in it',
};

const OPENING: Table = {
  'MUST-10': 'both ends may open at once',
  'MUST-11': 'SYN-RECEIVED remembers who opened',
  'MUST-41': absent('a passive OPEN hinders no other', 'listening sockets are the supervisor’s and the kernel’s'),
  'MUST-42': absent('several LISTENs for one port', 'listening sockets are the supervisor’s and the kernel’s'),
  'MUST-43': absent('OPEN may have a local address', NO_USER),
  'MUST-44': absent('OPEN asks IP for a local address', 'the address of our end is the one that the guest has asked for'),
  'MUST-45': 'the addresses of a connection stay the same',
  'MUST-46': 'no connection to a broadcast or multicast address is opened',
  'MUST-57': 'a SYN to a broadcast or multicast address is dropped silently',
  'MUST-63': 'a SYN from an invalid address is dropped',
};

const CLOSING: Table = {
  'MUST-12': 'the far end is told whether the guest closed or aborted',
  'MUST-13': 'a connection that we closed first stays in TIME-WAIT',
  'SHLD-2': 'a RST may have data',
  'SHLD-3': 'data that nobody will read is answered by RST',
  'SHLD-4': 'timestamps tell a new connection from a late segment in TIME-WAIT',
  'MAY-1': 'a far end that has closed both ways is half-duplex closing',
  'MAY-2': 'a new SYN ends TIME-WAIT',
};

const RETRANSMISSION: Table = {
  'MUST-18': 'Karn’s algorithm',
  'MUST-19': differs(
    'backing off, slow start, congestion avoidance',
    'the timeout is backed off; for the others see the table of RFC 5681',
  ),
  'MUST-20': 'a connection is closed after R2 retransmissions',
  'MUST-21': absent('the user can set R2', NO_USER),
  'MUST-22': 'SYNs are given up as well',
  'MUST-23': differs(
    'R2 of a SYN is at least three minutes',
    'a guest is one link away: 19 s, as the peer has it, unless the user wants more',
  ),
  'SHLD-9': absent('the user is told of R1', NO_USER),
  'SHLD-10': absent('R1 is at least three retransmissions', 'there is no other route to the guest that R1 could make IP look for'),
  'SHLD-11': 'R2 is at least 100 seconds',
  'MAY-4': differs('a retransmission may have the same IP identity', 'packets that can not be fragmented have the identity 0'),
};

const ACKNOWLEDGING: Table = {
  'MUST-39': 'the window announced grows by a fair amount or not at all',
  'MUST-40': 'an ACK is delayed by less than half a second',
  'MUST-58': 'ACKs are aggregated',
  'MUST-59': 'all queued segments are processed before an ACK is sent',
  'SHLD-18': 'ACKs are delayed in a dialogue',
  'SHLD-19': 'at least every second full segment is acknowledged',
  'SHLD-31': 'segments out of order are queued',
  'MAY-13': 'a segment out of order is acknowledged at once',
};

const SENDING: Table = {
  'MUST-17': 'small segments may be sent while others are in flight',
  'MUST-38': 'no sliver of the window is used while something is in flight',
  'MUST-48': absent('the user can set the DiffServ field', NO_USER),
  'MUST-49': differs('the TTL can be configured', 'our end is one link away, so 255 is always right'),
  'SHLD-7': differs('Nagle’s algorithm', 'the far kernel has done it already; twice would only delay'),
  'SHLD-21': absent('the user can change the DiffServ field', NO_USER),
  'SHLD-22': absent('the DiffServ field is passed to IP', NO_USER),
  'SHLD-23': absent('the DiffServ field is not changed often', NO_USER),
  'MAY-9': absent('the DiffServ field that came is passed on', NO_USER),
};

const KEEP_ALIVE: Table = {
  'MUST-24': 'keep-alives can be asked for',
  'MUST-25': 'keep-alives are off by default',
  'MUST-26': 'keep-alives are sent when idle only',
  'MUST-27': 'the interval can be configured',
  'MUST-28': 'without configuration there are none within two hours',
  'MUST-29': 'one keep-alive without an answer ends nothing',
  'SHLD-12': 'keep-alives have no data',
  'MAY-5': 'keep-alives may be sent',
  'MAY-6': absent('keep-alives may have a garbage byte', 'every TCP of today answers one without data'),
};

const IP_AND_ICMP: Table = {
  'MUST-50': 'IP options are ignored',
  'MUST-51': absent('the user can give a source route', NO_SOURCE_ROUTE),
  'MUST-52': absent('the user’s source route is preferred', NO_SOURCE_ROUTE),
  'MUST-53': absent('a source route that came is used backwards', NO_SOURCE_ROUTE),
  'MUST-54': 'ICMP of the guest belongs to the connection that it is about',
  'MUST-55': 'a source quench is dropped silently',
  'MUST-56': differs(
    'no soft ICMP error ends a connection',
    'none that is open; a call that the guest has not answered is given up, as kernels do (RFC 5461 §2.2)',
  ),
  'SHLD-24': absent('a later source route is preferred', NO_SOURCE_ROUTE),
  'SHLD-25': absent('unreachable networks are told to the user', NO_USER),
  'SHLD-26': differs(
    'an unreachable port or protocol aborts the connection',
    'RFC 5927 §5.2: anybody can forge them; a guest that is gone is found by R2',
  ),
  'MAY-10': absent('IP timestamps may be supported', 'nobody asks for them on one link'),
  'MAY-11': absent('IP record route may be supported', 'nobody asks for it on one link'),
};

const SERVICES: Table = {
  'MUST-47': 'errors are reported to the far end',
  'SHLD-20': absent('the user can turn error reports off', NO_USER),
  'SHLD-8': differs('ECN is supported', 'no router that could mark anything lies on the link to the guest'),
  'MAY-12': 'data injection is made hard',
  'MAY-14': absent('FLUSH', NO_USER),
  'MAY-18': takenOver('another congestion control may be used', '§3.2/3'),
};

const TABLE: Table = {
  ...PUSH_AND_WINDOW,
  ...URGENT,
  ...OPTIONS,
  ...CHECKSUM_AND_ISN,
  ...OPENING,
  ...CLOSING,
  ...RETRANSMISSION,
  ...ACKNOWLEDGING,
  ...SENDING,
  ...KEEP_ALIVE,
  ...IP_AND_ICMP,
  ...SERVICES,
};

describeTable(9293, [...numbered('MUST', 69), 'REC-1', ...numbered('SHLD', 31), ...numbered('MAY', 18)], TABLE);
