/* A machine that is nothing but its network card: `frames SOCKET GUEST GATEWAY WORK SERVER PORT SECONDS SIZE`.
 *
 * Connects to the UNIX socket of passt and makes the traffic of a measurement frame by frame, with serve.c at the other end, so that what
 * is measured is the translator and not a guest's kernel. SIZE is the MTU for TCP, the payload of a datagram for UDP.
 *
 *   tcp-out   data as fast as the window lets it, to the sink      {"bytes": arrived, "seconds": …, "frames": sent, "resent": …}
 *   tcp-in    data of the source, one ACK for all that one read brought
 *   udp-out   datagrams as fast as the socket takes them, to the sink
 *   udp-in    datagrams of the source, at its fastest
 *
 * Theory of operation. Payload is zeros, which no checksum feels, so a frame costs its headers only: those of one size always lie at the
 * same places of `out`, from its start, and leave the zeros between them; after a batch with any other frame it is wiped. TCP here is the
 * least that moves data over a link that loses little: what is not acknowledged is sent again from the first missing byte after three
 * duplicates, or 50 ms without news. Checksums of what comes are not looked at. */
#include "load.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/un.h>

#define QUEUE (4 << 20)
#define ETHERNET 14
#define IPV4 20
#define SILENCE 50000000LL
#define OWN_PORT 40000
#define WINDOW_SHIFT 7

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static int link_fd;
static unsigned char out[QUEUE], in[QUEUE];
static size_t out_length, out_sent, in_length, frame_length;
static uint32_t guest, gateway, server;
static uint16_t server_port;
static unsigned char own_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56}, gateway_mac[6];
static bool resolved, is_mixed;

static uint32_t sum16(const unsigned char *at, size_t length) {
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < length; i += 2) sum += (uint32_t)(at[i] << 8 | at[i + 1]);
  return sum;
}

static uint16_t folded(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons((uint16_t)~sum);
}

static void put16(unsigned char *at, uint32_t value) {
  uint16_t big = htons((uint16_t)value);
  memcpy(at, &big, 2);
}

static void put32(unsigned char *at, uint32_t value) {
  uint32_t big = htonl(value);
  memcpy(at, &big, 4);
}

static uint32_t get32(const unsigned char *at) {
  uint32_t big;
  memcpy(&big, at, 4);
  return ntohl(big);
}

static bool room(size_t length) { return out_length + 4 + length <= QUEUE; }

/* Space for a frame of that length at the end of `out`, its Ethernet header written. */
static unsigned char *frame(size_t length, uint16_t type) {
  if (!room(length)) errno = ENOBUFS, die("frame");
  unsigned char *at = out + out_length;
  put32(at, (uint32_t)length);
  memcpy(at + 4, gateway_mac, 6);
  memcpy(at + 10, own_mac, 6);
  put16(at + 16, type);
  out_length += 4 + length;
  is_mixed |= length != frame_length;
  return at + 4;
}

/* The headers of IP and the checksum of what follows; all after `headers` bytes of it is zeros, but for what `extra` adds. */
static void finish(unsigned char *at, size_t length, int protocol, size_t headers, size_t checksum, uint32_t extra) {
  unsigned char *ip = at + ETHERNET, *l4 = ip + IPV4;
  static uint16_t identification;
  memset(ip, 0, IPV4);
  ip[0] = 0x45;
  put16(ip + 2, (uint32_t)(length - ETHERNET));
  put16(ip + 4, ++identification);
  put16(ip + 6, 0x4000);
  ip[8] = 64;
  ip[9] = (unsigned char)protocol;
  memcpy(ip + 12, &guest, 4);
  memcpy(ip + 16, &server, 4);
  uint16_t value = folded(sum16(ip, IPV4));
  memcpy(ip + 10, &value, 2);
  put16(l4 + checksum, 0);
  uint32_t sum = sum16(ip + 12, 8) + (uint32_t)protocol + (uint32_t)(length - ETHERNET - IPV4) + sum16(l4, headers) + extra;
  value = folded(sum);
  memcpy(l4 + checksum, &value, 2);
}

static void arp(int operation, const unsigned char *mac, uint32_t address) {
  unsigned char *at = frame(42, 0x0806), *message = at + ETHERNET;
  static const unsigned char head[6] = {0, 1, 8, 0, 6, 4};
  memcpy(at, mac, 6);
  memcpy(message, head, 6);
  put16(message + 6, (uint32_t)operation);
  memcpy(message + 8, own_mac, 6);
  memcpy(message + 14, &guest, 4);
  memcpy(message + 18, operation == 1 ? (const unsigned char[6]){0} : mac, 6);
  memcpy(message + 24, &address, 4);
}

/* Flushes what the socket takes; waits for news of it at most until `end`. */
static void carry(long long end) {
  long long left = end - now();
  struct pollfd poll_fd = {link_fd, POLLIN | (out_length > out_sent ? POLLOUT : 0), 0};
  if (out_length > out_sent) {
    ssize_t sent = send(link_fd, out + out_sent, out_length - out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) die("send");
    if (sent > 0) out_sent += (size_t)sent;
    if (out_sent == out_length) {
      if (is_mixed) memset(out, 0, out_length);
      is_mixed = false;
      out_length = out_sent = 0;
    }
  }
  if (in_length == 0 || out_sent) {
    if (poll(&poll_fd, 1, left > 0 ? (int)(left / 1000000) + 1 : 0) < 0) die("poll");
    if (!(poll_fd.revents & (POLLIN | POLLHUP))) return;
  }
  ssize_t got = recv(link_fd, in + in_length, QUEUE - in_length, MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN)) die("the translator closed the socket");
  if (got > 0) in_length += (size_t)got;
}

static void answer_arp(const unsigned char *message) {
  if (message[7] == 1 && memcmp(message + 24, &guest, 4) == 0) {
    uint32_t asker;
    memcpy(&asker, message + 14, 4);
    arp(2, message + 8, asker);
  } else if (message[7] == 2 && memcmp(message + 14, &gateway, 4) == 0) {
    memcpy(gateway_mac, message + 8, 6);
    resolved = true;
  }
}

/* Calls `each` with the transport header and all after it of every packet for us, and answers ARP. */
static void take(int protocol, void (*each)(const unsigned char *l4, size_t length)) {
  size_t at = 0;
  while (in_length - at >= 4) {
    size_t length = get32(in + at);
    if (length < ETHERNET || length > 65535) errno = EPROTO, die("frame");
    if (in_length - at - 4 < length) break;
    const unsigned char *packet = in + at + 4 + ETHERNET;
    unsigned type = (unsigned)(packet[-2] << 8 | packet[-1]);
    if (type == 0x0806 && length >= 42) answer_arp(packet);
    if (type == 0x0800 && length >= 34 && packet[9] == protocol && each) {
      size_t header = (packet[0] & 15) * 4u, total = (size_t)(packet[2] << 8 | packet[3]);
      if (total <= length - ETHERNET && header < total) each(packet + header, total - header);
    }
    at += 4 + length;
  }
  memmove(in, in + at, in_length - at);
  in_length -= at;
}

/* TCP: one connection. */
static uint32_t una, next, receive_next, window;
static unsigned shift, duplicates;
static bool established, ended, owes_ack;
static long long news, bytes_in, frames_in;
static unsigned char answered[sizeof(struct counted)];

static void segment(int bits, uint32_t seq, size_t payload, const void *data) {
  size_t options = bits & SYN ? 8 : 0, headers = 20 + options, length = ETHERNET + IPV4 + headers + payload;
  unsigned char *at = frame(length, 0x0800), *tcp = at + ETHERNET + IPV4;
  memset(tcp, 0, headers);
  put16(tcp, OWN_PORT);
  put16(tcp + 2, server_port);
  put32(tcp + 4, seq);
  put32(tcp + 8, bits & ACK ? receive_next : 0);
  tcp[12] = (unsigned char)(headers / 4 << 4);
  tcp[13] = (unsigned char)bits;
  put16(tcp + 14, bits & SYN ? 65535 : (4 << 20) >> WINDOW_SHIFT);
  if (options) {
    put32(tcp + 20, 0x02040000u | (uint32_t)(frame_length - ETHERNET - 40));
    put32(tcp + 24, 0x01030300u | WINDOW_SHIFT);
  }
  if (data) memcpy(tcp + headers, data, payload);
  finish(at, length, IPPROTO_TCP, headers + (data ? payload : 0), 16, 0);
  if (bits & ACK) owes_ack = false;
}

static void take_segment(const unsigned char *tcp, size_t length) {
  size_t headers = (size_t)(tcp[12] >> 4) * 4;
  if (length < 20 || headers > length || (tcp[2] << 8 | tcp[3]) != OWN_PORT) return;
  uint32_t seq = get32(tcp + 4), ack = get32(tcp + 8), payload = (uint32_t)(length - headers);
  if (tcp[13] & RST) errno = ECONNRESET, die("tcp");
  if (tcp[13] & SYN) {
    for (size_t i = 20; i < headers && tcp[i] != 0; i += tcp[i] == 1 ? 1 : tcp[i + 1] ? tcp[i + 1] : headers)
      if (tcp[i] == 3) shift = tcp[i + 2];
    receive_next = seq + 1;
    una = next = ack;
    established = true;
    return;
  }
  window = (uint32_t)(tcp[14] << 8 | tcp[15]) << shift;
  if ((int32_t)(ack - una) > 0) {
    una = ack;
    if ((int32_t)(next - una) < 0) next = una;
    duplicates = 0;
    news = now();
  } else if (payload == 0 && next != una) duplicates++;
  if (payload == 0 && !(tcp[13] & FIN)) return;
  owes_ack = true;
  if (seq != receive_next) return;
  for (uint32_t i = 0; i < payload && bytes_in + i < (long long)sizeof answered; i++) answered[bytes_in + i] = tcp[headers + i];
  bytes_in += payload;
  frames_in++;
  receive_next += payload;
  if (tcp[13] & FIN) {
    receive_next++;
    ended = true;
  }
}

static void run_tcp(bool outward, double seconds) {
  size_t payload = frame_length - ETHERNET - 40;
  uint32_t first = 1000;
  long long frames = 0, resent = 0, limit_at = now() + 5000000000LL;
  next = first;
  segment(SYN, first, 0, NULL);
  while (!established) {
    if (now() > limit_at) errno = ETIMEDOUT, die("connect");
    carry(now() + 10000000);
    take(IPPROTO_TCP, take_segment);
  }
  uint32_t asked = htonl((uint32_t)(seconds * 1000));
  segment(ACK, next, 0, NULL);
  segment(ACK | PSH, next, sizeof asked, &asked);
  next += sizeof asked;
  long long begin = now(), end = begin + (long long)(seconds * 1e9), last = end + 3000000000LL;
  news = begin;
  while (!ended && bytes_in < (outward ? (long long)sizeof answered : INT64_MAX) && now() < last) {
    if (next != una && (duplicates >= 3 || now() - news > SILENCE)) {
      resent += (next - una) / payload;
      next = una;
      duplicates = 0;
      news = now();
    }
    if (outward && out_length == 0 && now() < end) {
      if (next == una && window > 0 && window < payload) {
        segment(ACK, next, window, NULL);
        next += window;
      }
      while (next - una + payload <= window && room(frame_length)) {
        segment(ACK, next, payload, NULL);
        next += (uint32_t)payload;
        frames++;
      }
    }
    if (owes_ack && room(frame_length)) segment(ACK, next, 0, NULL);
    carry(now() + 10000000);
    take(IPPROTO_TCP, take_segment);
  }
  if (outward) {
    struct counted counted;
    if (bytes_in < (long long)sizeof counted) errno = ETIMEDOUT, die("the answer of the sink");
    memcpy(&counted, answered, sizeof counted);
    printf("{\"bytes\":%lld,\"seconds\":%.6f,\"frames\":%lld,\"resent\":%lld}\n", counted.amount, (double)counted.nanoseconds / 1e9, frames, resent);
  } else printf("{\"bytes\":%lld,\"seconds\":%.6f,\"frames\":%lld,\"resent\":0}\n", bytes_in, (double)(now() - begin) / 1e9, frames_in);
}

/* UDP. */
static long long datagrams, first_at, last_at;
static struct counted counted;
static bool counted_came;

static void datagram(size_t size, const void *data, size_t data_length) {
  size_t length = ETHERNET + IPV4 + 8 + size;
  unsigned char *at = frame(length, 0x0800), *udp = at + ETHERNET + IPV4;
  put16(udp, OWN_PORT);
  put16(udp + 2, server_port);
  put16(udp + 4, (uint32_t)(8 + size));
  memcpy(udp + 8, data, data_length);
  finish(at, length, IPPROTO_UDP, 8 + (data_length + 1) / 2 * 2, 6, 0);
}

static void take_datagram(const unsigned char *udp, size_t length) {
  if (length == 8 + sizeof counted && (udp[0] << 8 | udp[1]) == server_port && server_port % 10 == 1) {
    memcpy(&counted, udp + 8, sizeof counted);
    counted_came = true;
  } else if (length > 8 && udp[8] == 'd') {
    last_at = now();
    if (datagrams++ == 0) first_at = last_at;
  }
}

static void ask(char word) {
  counted_came = false;
  for (int tries = 0; tries < 20 && !counted_came; tries++) {
    datagram(1, &word, 1);
    for (long long end = now() + 200000000; !counted_came && now() < end;) {
      carry(end);
      take(IPPROTO_UDP, take_datagram);
    }
  }
  if (!counted_came) errno = ETIMEDOUT, die("the sink");
}

static void send_datagrams(size_t size, double seconds) {
  ask('z');
  long long sent = 0, end = now() + (long long)(seconds * 1e9);
  while (now() < end) {
    if (out_length == 0)
      for (; room(size + 42); sent++) datagram(size, "d", 2);
    carry(end);
    take(IPPROTO_UDP, take_datagram);
  }
  while (out_length) carry(now() + 1000000);
  usleep(300000);
  ask('q');
  printf("{\"bytes\":%lld,\"seconds\":%.6f,\"frames\":%lld,\"received\":%lld}\n", counted.amount * (long long)size, (double)counted.nanoseconds / 1e9,
         sent, counted.amount);
}

static void receive_datagrams(size_t size, double seconds) {
  struct order order = {htonl((uint32_t)size), 0, htonl((uint32_t)(seconds * 1000))};
  datagram(sizeof order, &order, sizeof order);
  for (long long end = now() + (long long)(seconds * 1e9) + 300000000; now() < end;) {
    carry(end);
    take(IPPROTO_UDP, take_datagram);
  }
  printf("{\"bytes\":%lld,\"seconds\":%.6f,\"frames\":%lld}\n", datagrams * (long long)size, (double)(last_at - first_at + 1) / 1e9, datagrams);
}

int main(int argc, char **argv) {
  if (argc != 9) return fprintf(stderr, "usage: frames SOCKET GUEST GATEWAY tcp-out|tcp-in|udp-out|udp-in SERVER PORT SECONDS SIZE\n"), 2;
  struct sockaddr_un path = {.sun_family = AF_UNIX};
  snprintf(path.sun_path, sizeof path.sun_path, "%s", argv[1]);
  bool tcp = argv[4][0] == 't', outward = strchr(argv[4], 'o') != NULL;
  if (inet_pton(AF_INET, argv[2], &guest) != 1 || inet_pton(AF_INET, argv[3], &gateway) != 1 || inet_pton(AF_INET, argv[5], &server) != 1)
    return fprintf(stderr, "frames: IPv4 addresses are expected\n"), 2;
  server_port = (uint16_t)(atoi(argv[6]) + (outward ? 1 : 2));
  double seconds = atof(argv[7]);
  size_t size = (size_t)atoi(argv[8]);
  frame_length = tcp ? size + ETHERNET : size + 42;
  link_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  /* The peer names its socket before it listens. */
  for (int tries = 0; link_fd < 0 || connect(link_fd, (struct sockaddr *)&path, sizeof path) < 0; usleep(10000))
    if (link_fd < 0 || errno != ECONNREFUSED || ++tries == 100) die(argv[1]);
  setsockopt(link_fd, SOL_SOCKET, SO_SNDBUF, &(int){4 << 20}, sizeof(int));
  memset(gateway_mac, 0xff, 6);
  arp(1, gateway_mac, gateway);
  for (long long end = now() + 5000000000LL; !resolved;) {
    if (now() > end) errno = ETIMEDOUT, die("the gateway's address");
    carry(end);
    take(0, NULL);
  }
  if (tcp) run_tcp(outward, seconds);
  else if (outward) send_datagrams(size, seconds);
  else receive_datagrams(size, seconds);
}
