/**
 * The map of the arena: every fixed offset the worker uses. Nothing is allocated after start.
 */
import { MAX_FRAME, MAX_REASSEMBLIES, OPENER_REQUEST } from '../../shared/limits.ts';

const PAGE = 4096;

/** Two int32: milliseconds and microseconds of the monotonic clock. */
export const CLOCK = 0;
/** Our MAC and the guest's MAC, 8 bytes apart. */
export const OUR_MAC = 16;
export const GUEST_MAC = 24;
/** A request to an opener and its answer. */
export const OPENER_OUT = 64;
export const OPENER_IN = OPENER_OUT + OPENER_REQUEST;
/** int32 count, then descriptors, of a message with SCM_RIGHTS. */
export const DESCRIPTORS = 256;
/** int32 segment size of a received UDP_GRO datagram. */
export const SEGMENT_SIZE = 320;
/** And its TOS or traffic class, in the int32 behind. */
export const SEGMENT_CLASS = SEGMENT_SIZE + 4;
/** Sender of a received datagram: 16 bytes of address, int32 port. */
export const SENDER = 336;
/** int32 hop limit of a received message. */
export const RECEIVED_HOP_LIMIT = 360;
/** Record of the socket error queue, 40 bytes. */
export const ERROR_RECORD = 384;
/** struct tcp_info and SO_MEMINFO. */
export const SOCKET_FACTS = 512;
export const SOCKET_FACTS_SIZE = 256;

/** Who has come to a listener: 16 bytes of address, int32 port. */
export const COMER = 768;
/** Facts of a datagram that a listener has heard (native/worker.d.ts). */
export const HEARD = 832;
/** Two int32: seconds and microseconds of the time of day, for records of a capture. */
export const WALL_CLOCK = 1000;
/** int32 count, then descriptors, of a message of the supervisor. */
export const PASSED_DESCRIPTORS = 1024;

/** MACs of the guest's link, 256 of 8 bytes (flow/neighbours.ts). */
export const NEIGHBOUR_MACS = 2048;

/** Events of one epoll_wait, three int32 each. */
export const EVENTS = PAGE;
export const MAX_EVENTS = 256;

/** Of each datagram in a batch three int32: length, segment size, TOS or traffic class (udp/batch.ts). */
export const DATAGRAM_SLOTS = 32;
export const DATAGRAM_FACTS = EVENTS + 12 * MAX_EVENTS;

/** Datagrams of the channel. */
export const CHANNEL_IN = 2 * PAGE;
export const CHANNEL_OUT = CHANNEL_IN + 65_536;

/** Frames read from the tap in one batch. */
export const RECEIVE_SLOTS = 32;
export const RECEIVE_LENGTHS = CHANNEL_OUT + 65_536;
/** Slot size: a whole frame, rounded so that slots start on a page. */
export const SLOT = Math.ceil((MAX_FRAME + 64) / PAGE) * PAGE;
export const RECEIVE = RECEIVE_LENGTHS + PAGE;

/** All of them: a stream is read into the same place. */
export const RECEIVE_SIZE = RECEIVE_SLOTS * SLOT;

/** The frame being built for the guest: headers end and payload begins at TRANSMIT_PAYLOAD. */
export const TRANSMIT = RECEIVE + RECEIVE_SIZE;
export const TRANSMIT_HEADROOM = 128;
export const TRANSMIT_PAYLOAD = TRANSMIT + TRANSMIT_HEADROOM;

/** A fragment for the guest (flow/fragmentation.ts), link header first. */
export const FRAGMENT_FRAME = TRANSMIT + 2 * SLOT;

/** What an error's queue gives back of the datagram that has met it (flow/error_queue.ts). */
export const SPLIT = FRAGMENT_FRAME + SLOT;

/** Datagrams of a host's socket that one call has brought, in slots, each with room for the headers of its frame; unused ones cost no memory. */
export const DATAGRAMS = SPLIT + 2 * SLOT;

/** Datagrams that wait for the socket of their new flow. */
export const WAITING = DATAGRAMS + DATAGRAM_SLOTS * SLOT;
export const WAITING_SIZE = 1 << 20;

/** Bytes of the guest that its flows' sockets have not taken, in blocks that all flows share (tcp/receive_buffer.ts). */
export const BUFFER_BLOCKS = WAITING + WAITING_SIZE;
/** Bytes of a block, a power of two, and how many there are. Those that were never used cost no memory. */
export const BUFFER_BLOCK = 1 << 14;
export const BUFFER_BLOCK_COUNT = 1024;

/** Packets of the guest that are put together from fragments, a slot each (fragment/store.ts); unused ones cost no memory. */
export const REASSEMBLIES = BUFFER_BLOCKS + BUFFER_BLOCK_COUNT * BUFFER_BLOCK;

/** Frames that wait to be written to a stream (stream.ts); without one it costs no memory. */
export const STREAM_OUT = REASSEMBLIES + MAX_REASSEMBLIES * SLOT;
export const STREAM_OUT_SIZE = 1 << 22;

/** Records that wait to be written to a capture (capture.ts); without one it costs no memory. */
export const CAPTURE = STREAM_OUT + STREAM_OUT_SIZE;
export const CAPTURE_SIZE = 1 << 20;

export const ARENA_SIZE = CAPTURE + CAPTURE_SIZE;
