/* Loads a gateway: sends requests over some connections, at once or at a rate, for a time or an exact number of them, counts
 * a stream's chunks and times them, and holds streams open.
 *
 *   load PORT REQUEST CONNECTIONS requests|seconds|hold AMOUNT FIRST_ID IDS [RATE]
 *
 * REQUEST is a file with one HTTP request; sixteen '@' in it, twice at most, become an affinity id, which are taken in turn
 * from IDS ids from FIRST_ID on. With RATE, requests are due so many per second whether or not the earlier ones were answered, and
 * latency counts from when each was due; without, each connection sends its next request when the last was answered.
 * Whatever was begun is waited for, for a minute at most, so that no request costs a gateway something and counts for nothing.
 * "hold" opens one stream per connection, says after a minute at most on its standard output how many it opened,
 * and reads them until its standard input ends.
 * What was measured is printed as JSON; times are microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000ull
static const char PLACE[] = "@@@@@@@@@@@@@@@@";
enum { ID = 16, STDIN = 0 };

typedef struct {
    uint32_t *values;
    size_t used, size;
} Times;

enum Part { HEAD, SIZE_LINE, CHUNK, CHUNK_END, TRAILER, LENGTH };

typedef struct {
    int fd, busy;
    size_t sent;
    char *request;
    uint64_t due, number;
    /* the answer being read */
    enum Part part;
    char line[16384];
    size_t line_used;
    uint64_t left;
    int status, close_after;
    /* the body's events: how much of "data:" was seen at a line's start, and digits of a chunk's time */
    int line_place, digits;
    uint64_t stamp, events;
} Connection;

static char *request, error_text[512];
static size_t request_length, places[2];
static int port, poller, timer, open_hold;
static uint64_t first_id, ids, next_number, answered, failed, chunks, opened;
static Times latencies, first_events, delays;
static Connection *connections;
static int connection_count;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void note(Times *times, uint64_t from, uint64_t to) {
    if (times->used == times->size) {
        times->size = times->size ? 2 * times->size : 4096;
        times->values = realloc(times->values, times->size * sizeof *times->values);
        if (!times->values) die("realloc");
    }
    times->values[times->used++] = to > from ? (uint32_t)((to - from) / 100) : 0; /* tenths of a microsecond */
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void print_times(const char *name, Times *times) {
    printf(", \"%s\": ", name);
    if (!times->used) {
        printf("null");
        return;
    }
    qsort(times->values, times->used, sizeof *times->values, by_size);
    const struct { const char *name; double part; } parts[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}};
    for (size_t i = 0; i < 4; i++) {
        size_t at = (size_t)(parts[i].part * (double)(times->used - 1) + 0.5);
        printf("%s\"%s\": %.1f", i ? ", " : "{", parts[i].name, times->values[at] / 10.0);
    }
    printf("}");
}

static void connect_one(Connection *c) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) die("no more sockets (raise 'ulimit -n')");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) die("cannot connect");
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e)) die("epoll_ctl");
}

static void fail(Connection *c, const char *why) {
    failed++;
    if (!error_text[0]) snprintf(error_text, sizeof error_text, "%s", why);
    close(c->fd);
    c->busy = 0;
    connect_one(c);
}

static void push(Connection *c) {
    while (c->busy && c->sent < request_length) {
        ssize_t sent = send(c->fd, c->request + c->sent, request_length - c->sent, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN && errno != ENOTCONN) {
                fail(c, strerror(errno));
            } else {
                struct epoll_event both = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
                epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &both);
            }
            return;
        }
        c->sent += (size_t)sent;
    }
}

static void begin(Connection *c, uint64_t due) {
    static const char digits[] = "0123456789abcdef";
    uint64_t id = first_id + next_number++ % ids;
    for (int each = 0; each < 2 && places[each] != SIZE_MAX; each++)
        for (int i = 0; i < ID; i++) c->request[places[each] + (size_t)i] = digits[id >> (4 * (ID - 1 - i)) & 15];
    c->busy = 1, c->sent = 0, c->due = due, c->part = HEAD, c->line_used = 0, c->events = 0, c->line_place = 0;
    c->digits = -1;
    push(c);
}

static void read_events(Connection *c, const char *bytes, size_t length, uint64_t time) {
    for (size_t i = 0; i < length; i++) {
        char b = bytes[i];
        if (c->digits >= 0) {
            int value = b >= '0' && b <= '9' ? b - '0' : b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
            if (value < 0) {
                c->digits = -1;
            } else {
                c->stamp = c->stamp << 4 | (uint64_t)value;
                if (++c->digits == ID) {
                    chunks++;
                    note(&delays, c->stamp, time);
                    c->digits = -1;
                }
            }
        } else if (b == '@') {
            c->digits = 0, c->stamp = 0;
        }
        if (b == '\n')
            c->line_place = 0;
        else if (c->line_place >= 0)
            c->line_place = b == "data:"[c->line_place] ? c->line_place + 1 : -1;
        if (c->line_place == 5) {
            if (!c->events++) note(&first_events, c->due, time), opened++;
            c->line_place = -1;
        }
    }
}

static int finish(Connection *c, uint64_t time) {
    c->busy = 0;
    answered++;
    note(&latencies, c->due, time);
    if (c->close_after) {
        close(c->fd);
        connect_one(c);
    }
    return 0;
}

/* Takes a line's byte; returns 1 when the line is whole, without its end. */
static int take_line(Connection *c, char b) {
    if (b == '\n') {
        if (c->line_used && c->line[c->line_used - 1] == '\r') c->line_used--;
        c->line[c->line_used] = 0;
        c->line_used = 0;
        return 1;
    }
    if (c->line_used < sizeof c->line - 1) c->line[c->line_used++] = b;
    return 0;
}

static void read_head_line(Connection *c) {
    if (!strncmp(c->line, "HTTP/1.", 7)) {
        c->status = atoi(c->line + 9), c->left = 0, c->close_after = 0;
        c->number = 0; /* 1: chunked */
    } else if (!strncasecmp(c->line, "content-length:", 15)) {
        c->left = strtoull(c->line + 15, NULL, 10);
    } else if (!strncasecmp(c->line, "transfer-encoding:", 18)) {
        c->number = 1;
    } else if (!strncasecmp(c->line, "connection:", 11)) {
        c->close_after = strcasestr(c->line, "close") != NULL;
    }
}

/* Reads a part of an answer. Returns 0 when the answer is whole, or was none. */
static int read_answer(Connection *c, const char *bytes, size_t length) {
    uint64_t time = now();
    for (size_t i = 0; i < length;) {
        switch (c->part) {
        case HEAD:
            if (!take_line(c, bytes[i++])) break;
            if (c->line[0]) {
                read_head_line(c);
                break;
            }
            if (c->status != 200) {
                char why[400];
                snprintf(why, sizeof why, "status %d: %.*s", c->status, (int)(length - i > 300 ? 300 : length - i),
                         bytes + i);
                fail(c, why);
                return 0;
            }
            c->part = c->number ? SIZE_LINE : LENGTH;
            if (!c->number && !c->left) return finish(c, time);
            break;
        case SIZE_LINE:
            if (!take_line(c, bytes[i++])) break;
            c->left = strtoull(c->line, NULL, 16);
            c->part = c->left ? CHUNK : TRAILER;
            break;
        case CHUNK:
        case LENGTH: {
            size_t here = length - i < c->left ? length - i : (size_t)c->left;
            read_events(c, bytes + i, here, time);
            i += here, c->left -= here;
            if (c->left) break;
            if (c->part == LENGTH) return finish(c, time);
            c->part = CHUNK_END;
            break;
        }
        case CHUNK_END:
            if (take_line(c, bytes[i++])) c->part = SIZE_LINE;
            break;
        case TRAILER:
            if (take_line(c, bytes[i++]) && !c->line[0]) return finish(c, time);
            break;
        }
    }
    return 1;
}

static void read_some(Connection *c) {
    static char bytes[262144];
    for (;;) {
        ssize_t got = recv(c->fd, bytes, sizeof bytes, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            if (c->busy) {
                fail(c, got ? strerror(errno) : "the connection was closed within an answer");
            } else {
                close(c->fd);
                connect_one(c);
            }
            return;
        }
        if (c->busy && !read_answer(c, bytes, (size_t)got)) return;
        if ((size_t)got < sizeof bytes) return;
    }
}

static void load_request(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    request = malloc(1 << 22);
    if (!request) die("malloc");
    request_length = fread(request, 1, 1 << 22, file);
    fclose(file);
    char *from = request, *found;
    for (int each = 0; each < 2; each++) {
        found = from ? memmem(from, request_length - (size_t)(from - request), PLACE, ID) : NULL;
        places[each] = found ? (size_t)(found - request) : SIZE_MAX;
        from = found ? found + ID : NULL;
    }
}

int main(int count, char **words) {
    if (count < 8) {
        fprintf(stderr, "usage: load PORT REQUEST CONNECTIONS requests|seconds|hold AMOUNT FIRST_ID IDS [RATE]\n");
        return 2;
    }
    port = atoi(words[1]);
    load_request(words[2]);
    connection_count = atoi(words[3]);
    uint64_t wanted = !strcmp(words[4], "requests") ? strtoull(words[5], NULL, 10) : UINT64_MAX;
    double seconds = !strcmp(words[4], "seconds") ? atof(words[5]) : 1e9;
    open_hold = !strcmp(words[4], "hold");
    first_id = strtoull(words[6], NULL, 10), ids = strtoull(words[7], NULL, 10);
    double rate = count > 8 ? atof(words[8]) : 0;
    poller = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &e);
    struct epoll_event end = {.events = EPOLLIN, .data.ptr = &e};
    if (open_hold) epoll_ctl(poller, EPOLL_CTL_ADD, STDIN, &end);
    connections = calloc((size_t)connection_count, sizeof *connections);
    if (!connections) die("calloc");
    for (int i = 0; i < connection_count; i++) {
        connections[i].request = malloc(request_length);
        if (!connections[i].request) die("malloc");
        memcpy(connections[i].request, request, request_length);
        connect_one(&connections[i]);
    }
    uint64_t began = now(), stop = began + (uint64_t)(seconds * 1e9), due_count = 0, time = began;
    uint64_t late = stop + 60 * NS, patient = began + 60 * NS;
    int announced = 0, ended = 0, next_idle = 0;
    struct itimerspec tick = {.it_interval = {0, rate ? 200000 : 5000000}, .it_value = {0, 1}};
    timerfd_settime(timer, 0, &tick, NULL);
    while (!ended && time < late && answered + failed < wanted) {
        if (time >= stop && answered + failed >= next_number) break;
        for (int tried = 0; tried < connection_count && time < stop; tried++) {
            Connection *c = &connections[next_idle];
            if (next_number >= wanted || (open_hold && next_number >= (uint64_t)connection_count)) break;
            uint64_t due = rate ? began + (uint64_t)((double)due_count / rate * 1e9) : time;
            if (due > time) break;
            if (++next_idle == connection_count) next_idle = 0;
            if (c->busy) continue;
            due_count++;
            begin(c, due);
        }
        struct epoll_event events[256];
        int ready = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            Connection *c = events[i].data.ptr;
            uint64_t ticks;
            if (!c) {
                if (read(timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN) die("timer");
            } else if ((void *)c == (void *)&e) {
                char byte;
                ended = read(STDIN, &byte, 1) <= 0;
            } else {
                if (events[i].events & EPOLLOUT) {
                    push(c);
                    if (c->sent == request_length) {
                        struct epoll_event only_in = {.events = EPOLLIN, .data.ptr = c};
                        epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &only_in);
                    }
                }
                if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_some(c);
                /* Closed loop: the next one at once, so that a round of the poller costs all connections one request. */
                if (!rate && !c->busy && next_number < wanted && !open_hold && (time = now()) < stop) begin(c, time);
            }
        }
        if (open_hold && !announced && (opened + failed >= (uint64_t)connection_count || time > patient)) {
            announced = 1;
            printf("{\"opened\": %llu, \"failed\": %llu}\n", (unsigned long long)opened, (unsigned long long)failed);
            fflush(stdout);
        }
        time = now();
    }
    for (char *p = error_text; *p; p++)
        if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ') *p = ' ';
    printf("{\"requests\": %llu, \"errors\": %llu, \"seconds\": %.6f, \"chunks\": %llu, \"first_error\": \"%s\"",
           (unsigned long long)answered, (unsigned long long)failed, (double)(now() - began) / 1e9,
           (unsigned long long)chunks, error_text);
    print_times("latency", &latencies), print_times("first_event", &first_events), print_times("chunk_delay", &delays);
    printf("}\n");
    return 0;
}
