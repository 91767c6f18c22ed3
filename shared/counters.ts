/**
 * Names of the worker's counters, in the order of `Status.counters`. Counters only grow; they are exact up to 2⁵³.
 */
// biome-ignore format: families of counters are read as lines
export const COUNTERS = [
  'frames_from_guest', 'bytes_from_guest', 'frames_to_guest', 'bytes_to_guest',
  'frames_malformed', 'frames_bad_checksum', 'frames_unknown_protocol', 'frames_fragment', 'frames_loopback_address',
  'frames_bad_address', 'frames_not_served',
  'fragments_malformed', 'fragments_duplicate', 'fragments_overlapping', 'datagrams_reassembled', 'reassemblies_timed_out',
  'reassemblies_evicted', 'fragments_to_guest',
  'tap_write_refused',
  'arp_answered', 'dhcp_answered', 'dhcpv6_answered', 'ndp_answered', 'router_advertisements', 'echo_answered', 'memberships_reported', 'memberships_refused',
  'tcp_flows_opened', 'tcp_flows_refused', 'tcp_flows_ended', 'tcp_retransmissions', 'tcp_resets_sent', 'tcp_resets_received',
  'tcp_out_of_order', 'tcp_duplicate_acks', 'tcp_challenges',
  'tcp_late_copies', 'tcp_time_waits', 'tcp_expired', 'tcp_zero_windows', 'tcp_partial_sends', 'tcp_stalls_repaired',
  'udp_flows_opened', 'udp_flows_refused', 'udp_flows_ended', 'udp_datagrams_out', 'udp_datagrams_in', 'udp_datagrams_dropped',
  'flows_displaced', 'comers_refused',
  'ping_flows_opened', 'ping_flows_refused', 'ping_flows_ended', 'ping_requests_out', 'ping_replies_in', 'ping_dropped',
  'icmp_errors_to_guest', 'icmp_errors_suppressed', 'icmp_errors_from_guest', 'icmp_ignored',
  'spliced_connections_opened', 'spliced_connections_refused', 'spliced_connections_ended', 'spliced_bytes', 'spliced_without_pipe',
  'spliced_flows_opened', 'spliced_flows_ended', 'spliced_datagrams', 'spliced_datagrams_dropped',
  'opener_refused', 'wakeups', 'stale_events', 'captures_lost',
] as const;
export type CounterName = (typeof COUNTERS)[number];

/** Index of each counter: `Counter.tcp_flows_opened`. */
export const Counter = Object.fromEntries(COUNTERS.map((name, index) => [name, index])) as Readonly<Record<CounterName, number>>;
