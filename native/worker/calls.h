/* The system calls of the hot path without libc's wrappers. Those are cancellation points: in a process with threads (the runtime has
 * some) each pays for two atomic operations around the call, which was 5 % of the worker's time at many small packets. */
#ifndef RAVIOLI_WORKER_CALLS_H
#define RAVIOLI_WORKER_CALLS_H

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline long call_read(int fd, void *to, size_t length)
{
  return syscall(SYS_read, fd, to, length);
}

static inline long call_write(int fd, const void *from, size_t length)
{
  return syscall(SYS_write, fd, from, length);
}

static inline long call_send(int fd, const void *from, size_t length, int flags)
{
  return syscall(SYS_sendto, fd, from, length, flags, NULL, 0);
}

static inline long call_receive(int fd, void *to, size_t length, int flags)
{
  return syscall(SYS_recvfrom, fd, to, length, flags, NULL, NULL);
}

static inline long call_receive_message(int fd, struct msghdr *message, int flags)
{
  return syscall(SYS_recvmsg, fd, message, flags);
}

static inline long call_receive_messages(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
  return syscall(SYS_recvmmsg, fd, messages, count, flags, NULL);
}

static inline long call_splice(int from, int to, size_t length, unsigned flags)
{
  return syscall(SYS_splice, from, NULL, to, NULL, length, flags);
}

static inline long call_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
  return syscall(SYS_epoll_pwait, epoll, events, most, timeout, NULL, 0);
}

#endif
