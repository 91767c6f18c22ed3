/* Sends each datagram at a port back to where it comes from: busybox has no server for UDP that echoes. */
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
  static char bytes[65536];
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "7"))};
  if (fd < 0 || bind(fd, (const struct sockaddr *)&here, sizeof here))
    return 1;
  for (;;) {
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length);
    if (got >= 0)
      sendto(fd, bytes, (size_t)got, 0, (const struct sockaddr *)&from, length);
  }
}
