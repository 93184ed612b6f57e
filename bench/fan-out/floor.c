/*
 * The least that a server can do: at each time of a record, one send of one shared buffer to every player. It reads no
 * publisher, no format, and of a player the end of its request only.
 *   cc -O2 -Wall -Wextra -o floor floor.c && ./floor RECORD PORT    (port 0: any)
 * says {"port":N}, and plays the record over and over until SIGTERM. Record, tags and marks: flush-record.ts,
 * flush-tags.ts, mark.ts.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PLAYERS = 20000, MAX_FLUSHES = 1 << 20, MAX_BYTES = 8 << 20, MIN_BYTES = 15 + 10 + 32 };
enum { TAG_HEAD = 11, MARK_AT = TAG_HEAD + 10 };

static const char OPENING[] = "HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n"
                              "FLV\x01\x01\0\0\0\x09\0\0\0\0";

/* A connection, by its descriptor; what the kernel has not taken yet is its own copy, bounded by MAX_BYTES. */
struct player {
  int is_open, is_playing, seen; /* seen: bytes of the blank line that ends its request */
  char *rest;
  size_t rest_at, rest_end;
};
static struct player players[MAX_PLAYERS];
static int last_fd, poll_fd, listen_fd, timer_fd;

static double flush_us[MAX_FLUSHES];
static size_t flush_bytes[MAX_FLUSHES];
static int flush_count;
static unsigned char tag[MAX_BYTES + 64];
static uint32_t number;
static uint64_t before_bytes;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* A big-endian number of so many bytes. */
static void put(unsigned char *at, uint64_t value, int bytes) {
  for (int index = bytes - 1; index >= 0; index--, value >>= 8) at[index] = value & 0xff;
}

static void drop(int fd) {
  free(players[fd].rest);
  memset(&players[fd], 0, sizeof players[fd]);
  close(fd);
}

static void watch(int fd, uint32_t events, int how) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(poll_fd, how, fd, &event) < 0) die("epoll_ctl");
}

/* Keeps what the kernel did not take. */
static void keep(int fd, const char *bytes, size_t count) {
  struct player *player = &players[fd];
  size_t kept = player->rest_end - player->rest_at;
  if (player->rest_at > 0) memmove(player->rest, player->rest + player->rest_at, kept);
  char *rest = kept + count <= MAX_BYTES ? realloc(player->rest, kept + count) : NULL;
  if (!rest) {
    drop(fd);
    return;
  }
  memcpy(rest + kept, bytes, count);
  player->rest = rest;
  player->rest_at = 0;
  player->rest_end = kept + count;
  if (!kept) watch(fd, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

static void send_to(int fd, const void *bytes, size_t count) {
  ssize_t sent = players[fd].rest ? 0 : send(fd, bytes, count, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) {
    drop(fd);
    return;
  }
  size_t taken = sent < 0 ? 0 : sent;
  if (taken < count) keep(fd, (const char *)bytes + taken, count - taken);
}

static void send_rest(int fd) {
  struct player *player = &players[fd];
  ssize_t sent = send(fd, player->rest + player->rest_at, player->rest_end - player->rest_at, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN) drop(fd);
    return;
  }
  player->rest_at += sent;
  if (player->rest_at < player->rest_end) return;
  free(player->rest);
  player->rest = NULL;
  player->rest_at = player->rest_end = 0;
  watch(fd, EPOLLIN, EPOLL_CTL_MOD);
}

static void admit(void) {
  int fd, on = 1;
  while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    if (fd >= MAX_PLAYERS) {
      close(fd);
      continue;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    players[fd].is_open = 1;
    if (fd > last_fd) last_fd = fd;
    watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  }
}

static void hear(int fd) {
  static const char end[] = "\r\n\r\n";
  struct player *player = &players[fd];
  char bytes[4096];
  ssize_t count = recv(fd, bytes, sizeof bytes, 0);
  if (count <= 0) {
    if (count == 0 || errno != EAGAIN) drop(fd);
    return;
  }
  for (ssize_t at = 0; at < count && !player->is_playing; at++) {
    player->seen = bytes[at] == end[player->seen] ? player->seen + 1 : bytes[at] == '\r';
    if (player->seen == 4) player->is_playing = 1;
    if (player->seen == 4) send_to(fd, OPENING, sizeof OPENING - 1);
  }
}

/* One tag of so many bytes: a key frame, marked as sent now, to all. */
static void flush(size_t bytes) {
  uint64_t sent_us = now_us();
  size_t size = bytes - 15;
  tag[0] = 9;
  put(tag + 1, size, 3);
  put(tag + 4, sent_us / 1000 & 0xffffff, 3);
  tag[7] = sent_us / 1000 >> 24 & 0x7f;
  memcpy(tag + TAG_HEAD, "\x17\x01\0\0\0", 5);
  put(tag + TAG_HEAD + 5, size - 9, 4);
  tag[TAG_HEAD + 9] = 0x65;
  memcpy(tag + MARK_AT, "\xf5TwMrk\x89\0", 8);
  put(tag + MARK_AT + 8, ++number, 4);
  put(tag + MARK_AT + 12, size, 4);
  put(tag + MARK_AT + 16, sent_us, 8);
  put(tag + MARK_AT + 24, before_bytes, 8);
  /* What an earlier, longer tag has left here is no mark: all marks are written at the same place. */
  put(tag + TAG_HEAD + size, TAG_HEAD + size, 4);
  before_bytes += size;
  for (int fd = 0; fd <= last_fd; fd++)
    if (players[fd].is_playing) send_to(fd, tag, bytes);
}

static void read_record(const char *path) {
  FILE *file = fopen(path, "r");
  double at_ms;
  if (!file) die(path);
  while (flush_count < MAX_FLUSHES && fscanf(file, "%lf %zu", &at_ms, &flush_bytes[flush_count]) == 2) {
    size_t *bytes = &flush_bytes[flush_count];
    if (*bytes < MIN_BYTES) *bytes = MIN_BYTES;
    if (*bytes > MAX_BYTES) *bytes = MAX_BYTES;
    flush_us[flush_count++] = at_ms * 1000;
  }
  fclose(file);
  if (flush_count < 2 || flush_us[flush_count - 1] <= flush_us[0]) {
    fprintf(stderr, "a record has at least two flushes, at times that rise\n");
    exit(1);
  }
}

static void listen_at(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  socklen_t length = sizeof address;
  int on = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listen_fd, (struct sockaddr *)&address, length) < 0) die("bind");
  if (listen(listen_fd, 4096) < 0) die("listen");
  getsockname(listen_fd, (struct sockaddr *)&address, &length);
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
}

static void wake_at(double us) {
  struct itimerspec when = {.it_value = {.tv_sec = us / 1e6, .tv_nsec = ((uint64_t)us % 1000000) * 1000}};
  if (timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0) die("timerfd_settime");
}

int main(int argc, char **argv) {
  struct epoll_event events[256];
  if (argc != 3) {
    fprintf(stderr, "floor RECORD PORT\n");
    return 2;
  }
  read_record(argv[1]);
  memset(tag, 0x5a, sizeof tag);
  poll_fd = epoll_create1(EPOLL_CLOEXEC);
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  listen_at(atoi(argv[2]));
  watch(listen_fd, EPOLLIN, EPOLL_CTL_ADD);
  watch(timer_fd, EPOLLIN, EPOLL_CTL_ADD);

  double span_us = flush_us[flush_count - 1] - flush_us[0];
  double start_us = now_us() - flush_us[0];
  int next = 0;
  wake_at(start_us + flush_us[next]);
  for (;;) {
    int count = epoll_wait(poll_fd, events, 256, -1);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    for (int index = 0; index < count; index++) {
      int fd = events[index].data.fd;
      uint64_t expirations;
      if (fd == listen_fd) admit();
      else if (fd == timer_fd) {
        if (read(timer_fd, &expirations, sizeof expirations) < 0) continue;
        flush(flush_bytes[next]);
        if (++next == flush_count) {
          next = 0;
          start_us += span_us * (1 + 1.0 / (flush_count - 1));
        }
        wake_at(start_us + flush_us[next]);
      } else {
        if (players[fd].is_open && events[index].events & EPOLLOUT) send_rest(fd);
        if (players[fd].is_open && events[index].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) hear(fd);
      }
    }
  }
}
