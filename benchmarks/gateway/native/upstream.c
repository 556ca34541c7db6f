/* A provider that costs next to nothing: OpenAI's and Anthropic's wire, plain and streamed, on one thread with epoll.
 *
 *   upstream PORT [PORT ...]
 *
 * POST /v1/messages is answered as Anthropic does, POST /v1/chat/completions as OpenAI does. A body that asks for
 * a stream gets CHUNKS text chunks, INTERVAL_US apart (0: as fast as they can be sent), TOGETHER of them in one send():
 * then one read of a gateway holds as many, however fast it is. Each carries the time it was sent at, '@' and 16 hexadecimal
 * digits of CLOCK_MONOTONIC's nanoseconds, so that a client can tell how long it took.
 * GET /_set?chunks=CHUNKS&interval_us=INTERVAL_US&together=TOGETHER holds for the streams that begin after it, GET /_count
 * tells how many requests were answered and how many streams are open. Any other GET is a health check or a list of models.
 * Answers have 22 header lines, of which nine change each time, as OpenAI's have.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
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

enum { MAX_CONNECTIONS = 16384, MAX_PORTS = 8 };
#define NS 1000000000ull
#define OK "200 OK"

typedef struct {
    int fd;
    char *in;
    size_t in_used, in_size;
    char *out; /* what the socket did not take yet */
    size_t out_used, out_size;
    int anthropic, streaming, next_chunk, chunks, together;
    uint64_t interval, due;
    size_t heap_place; /* 1-based, 0: not waiting for its next chunk */
} Connection;

static Connection *connections[MAX_CONNECTIONS]; /* by file descriptor */
static Connection *heap[MAX_CONNECTIONS + 1];    /* those whose next chunk is due, soonest first */
static size_t heap_used;
static int poller, timer;
static int set_chunks = 50, set_together = 1;
static uint64_t set_interval;
static uint64_t requests, streams_begun, open_streams;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void *grow(void *old, size_t *size, size_t needed) {
    if (*size >= needed) return old;
    while (*size < needed) *size = *size ? *size * 2 : 4096;
    void *grown = realloc(old, *size);
    if (!grown) die("realloc");
    return grown;
}

static void heap_swap(size_t a, size_t b) {
    Connection *c = heap[a];
    heap[a] = heap[b], heap[b] = c;
    heap[a]->heap_place = a, heap[b]->heap_place = b;
}

static void heap_settle(size_t at) {
    while (at > 1 && heap[at]->due < heap[at / 2]->due) heap_swap(at, at / 2), at /= 2;
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at; child <= 2 * at + 1 && child <= heap_used; child++)
            if (heap[child]->due < heap[least]->due) least = child;
        if (least == at) return;
        heap_swap(at, least), at = least;
    }
}

static void heap_add(Connection *c) {
    heap[++heap_used] = c;
    c->heap_place = heap_used;
    heap_settle(heap_used);
}

static void heap_remove(Connection *c) {
    size_t at = c->heap_place;
    if (!at) return;
    heap_swap(at, heap_used);
    heap_used--;
    c->heap_place = 0;
    if (at <= heap_used) heap_settle(at);
}

static void set_timer(void) {
    struct itimerspec when = {0};
    if (heap_used) {
        uint64_t due = heap[1]->due ? heap[1]->due : 1;
        when.it_value.tv_sec = (time_t)(due / NS), when.it_value.tv_nsec = (long)(due % NS);
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void close_connection(Connection *c) {
    heap_remove(c);
    if (c->streaming) open_streams--;
    connections[c->fd] = NULL;
    close(c->fd);
    free(c->in), free(c->out), free(c);
}

static void watch(Connection *c, int write_too) {
    struct epoll_event e = {.events = EPOLLIN | (write_too ? EPOLLOUT : 0), .data.fd = c->fd};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

/* Returns 0 when the peer is gone. */
static int send_bytes(Connection *c, const char *bytes, size_t length) {
    if (!c->out_used) {
        ssize_t sent = send(c->fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return 0;
        if (sent > 0) bytes += sent, length -= (size_t)sent;
        if (!length) return 1;
        watch(c, 1);
    }
    c->out = grow(c->out, &c->out_size, c->out_used + length);
    memcpy(c->out + c->out_used, bytes, length);
    c->out_used += length;
    return 1;
}

static int flush(Connection *c) {
    ssize_t sent = send(c->fd, c->out, c->out_used, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    c->out_used -= (size_t)sent;
    memmove(c->out, c->out + sent, c->out_used);
    if (!c->out_used) watch(c, 0);
    return 1;
}

/* Writes the lines of a head that every answer has, 20 of the 22. */
static int write_head(char *to, size_t size, const char *status) {
    uint64_t number = requests * 0x9E3779B97F4A7C15ull;
    return snprintf(to, size,
                    "HTTP/1.1 %s\r\nDate: Sun, 29 Nov 2026 12:%02d:%02d GMT\r\nConnection: keep-alive\r\n"
                    "x-request-id: req_%016llx\r\nopenai-organization: benchmark\r\nopenai-project: proj_9x\r\n"
                    "openai-processing-ms: %d\r\nopenai-version: 2020-10-01\r\nx-envoy-upstream-service-time: %d\r\n"
                    "x-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 2000000\r\n"
                    "x-ratelimit-remaining-requests: %d\r\nx-ratelimit-remaining-tokens: %d\r\n"
                    "x-ratelimit-reset-requests: %dms\r\nx-ratelimit-reset-tokens: 66ms\r\ncf-cache-status: DYNAMIC\r\n"
                    "Set-Cookie: __cf_bm=%016llx; path=/; HttpOnly; Secure; SameSite=None\r\n"
                    "Strict-Transport-Security: max-age=31536000; includeSubDomains; preload\r\n"
                    "X-Content-Type-Options: nosniff\r\nServer: cloudflare\r\nCF-RAY: %016llx-FRA\r\n",
                    status, (int)(number >> 8 & 31), (int)(number >> 16 & 31), (unsigned long long)number,
                    300 + (int)(number & 255), 320 + (int)(number & 255), 9000 + (int)(number >> 24 & 511),
                    1900000 + (int)(number >> 32 & 65535), 6 + (int)(number & 3), (unsigned long long)~number,
                    (unsigned long long)(number ^ 0x5bd1e995));
}

static int send_json(Connection *c, const char *status, const char *json) {
    char answer[8192];
    int n = write_head(answer, sizeof answer, status);
    n += snprintf(answer + n, sizeof answer - (size_t)n, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                  strlen(json), json);
    return send_bytes(c, answer, (size_t)n);
}

static int write_event(char *to, size_t size, const char *events) {
    return snprintf(to, size, "%zx\r\n%s\r\n", strlen(events), events);
}

static int send_event(Connection *c, const char *events) {
    char framed[2048];
    return send_bytes(c, framed, (size_t)write_event(framed, sizeof framed, events));
}

#define SPEECH \
    "PostgreSQL suits this workload: writes are transactional, reports need joins over five tables, and the team " \
    "already runs it. Partition the events by month, index what the dashboard filters by, and put a read replica " \
    "behind the reports. Revisit when a single primary cannot take the writes any more."

#define CHAT_HEAD "data: {\"id\":\"chatcmpl-9x\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"gpt-4o-2024-08-06\",\"system_fingerprint\":\"fp_0a1b2c\",\"choices\":[{\"index\":0,\"delta\":"

static int begin_stream(Connection *c) {
    char head[4096];
    int n = write_head(head, sizeof head, OK);
    n += snprintf(head + n, sizeof head - (size_t)n,
                  "Content-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n");
    if (!send_bytes(c, head, (size_t)n)) return 0;
    if (!c->anthropic)
        return send_event(c, CHAT_HEAD "{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n");
    return send_event(c,
                      "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01\",\"type\":"
                      "\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-6\",\"content\":[],\"stop_reason\":"
                      "null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":2210,\"output_tokens\":1}}}\n\n") &&
           send_event(c,
                      "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
                      "{\"type\":\"text\",\"text\":\"\"}}\n\n");
}

static int write_chunk(Connection *c, char *to, size_t size) {
    char event[1024];
    const char *form =
        c->anthropic
            ? "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
              "\"text_delta\",\"text\":\" @%016llx\"}}\n\n"
            : CHAT_HEAD "{\"content\":\" @%016llx\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
    snprintf(event, sizeof event, form, (unsigned long long)now());
    return write_event(to, size, event);
}

static int end_stream(Connection *c) {
    int good;
    if (c->anthropic)
        good = send_event(c, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n") &&
               send_event(c,
                          "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
                          "\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":50}}\n\n") &&
               send_event(c, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    else
        good = send_event(c, CHAT_HEAD "{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n") &&
               send_event(c, "data: [DONE]\n\n");
    c->streaming = 0;
    open_streams--;
    return good && send_bytes(c, "0\r\n\r\n", 5);
}

/* Sends what is due of a stream. */
static int go_on(Connection *c) {
    while (c->next_chunk < c->chunks) {
        if (c->interval && c->due > now()) {
            heap_add(c);
            return 1;
        }
        char together[65536];
        size_t used = 0;
        for (int i = 0; i < c->together && c->next_chunk < c->chunks && sizeof together - used > 2048; i++) {
            c->next_chunk++;
            used += (size_t)write_chunk(c, together + used, sizeof together - used);
        }
        c->due += c->interval;
        if (!send_bytes(c, together, used)) return 0;
    }
    return end_stream(c);
}

static int start_stream(Connection *c) {
    c->streaming = 1, c->next_chunk = 0, c->chunks = set_chunks, c->interval = set_interval,
    c->together = set_together;
    /* Streams that begin together are spread over the interval, by the golden ratio, as real ones are. */
    uint64_t place = ++streams_begun * 0x9E3779B97F4A7C15ull >> 40;
    c->due = now() + c->interval * place / (1 << 24);
    open_streams++;
    return begin_stream(c) && go_on(c);
}

static int answer(Connection *c, const char *head, const char *body, size_t body_length) {
    requests++;
    if (!strncmp(head, "GET /_set?", 10)) {
        unsigned long long interval_us = 0;
        if (sscanf(head, "GET /_set?chunks=%d&interval_us=%llu&together=%d", &set_chunks, &interval_us, &set_together) != 3)
            fprintf(stderr, "upstream: cannot read %.80s\n", head);
        set_interval = interval_us * 1000;
        requests--;
        return send_json(c, OK, "{}");
    }
    if (!strncmp(head, "GET /_count", 11)) {
        char counts[128];
        requests--;
        snprintf(counts, sizeof counts, "{\"requests\":%llu,\"open_streams\":%llu}", (unsigned long long)requests,
                 (unsigned long long)open_streams);
        return send_json(c, OK, counts);
    }
    if (strncmp(head, "POST", 4)) {
        requests--;
        return send_json(c, OK,
                         "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-4o\",\"object\":\"model\",\"created\":1767225600,"
                         "\"owned_by\":\"vllm\"}],\"status\":\"ok\",\"version\":\"0.12.0\",\"model_path\":\"gpt-4o\"}");
    }
    c->anthropic = !strncmp(head, "POST /v1/messages ", 18);
    /* So that nobody measures a gateway past which the requests went. */
    if (!c->anthropic && strncmp(head, "POST /v1/chat/completions ", 26))
        return send_json(c, "404 Not Found", "{\"error\":{\"message\":\"There is no such path here.\"}}");
    if (memmem(body, body_length, "\"stream\":true", 13) || memmem(body, body_length, "\"stream\": true", 14))
        return start_stream(c);
    if (c->anthropic)
        return send_json(c, OK,
                         "{\"id\":\"msg_01\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-6\","
                         "\"content\":[{\"type\":\"text\",\"text\":\"" SPEECH "\"}],\"stop_reason\":\"end_turn\","
                         "\"stop_sequence\":null,\"usage\":{\"input_tokens\":2210,\"output_tokens\":64}}");
    return send_json(c, OK,
                     "{\"id\":\"chatcmpl-9x\",\"object\":\"chat.completion\",\"created\":1767225600,\"model\":"
                     "\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
                     "\"" SPEECH "\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":"
                     "{\"prompt_tokens\":2210,\"completion_tokens\":64,\"total_tokens\":2274},\"system_fingerprint\":"
                     "\"fp_0a1b2c\"}");
}

static const char *find_header(const char *head, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n"))
        if (!strncasecmp(line + 2, name, length)) return line + 2 + length;
    return NULL;
}

/* Undoes chunked framing in place. Returns the framed length, 0 when some is missing; *length is the body's. */
static size_t unchunk(char *body, size_t available, size_t *length) {
    size_t from = 0, to = 0;
    for (size_t pass = 0; pass < 2; pass++) /* first look whether all is there: nothing may be moved before */
        for (from = 0, to = 0;;) {
            char *end = memmem(body + from, available - from, "\r\n", 2);
            if (!end) return 0;
            size_t size = strtoul(body + from, NULL, 16);
            from = (size_t)(end - body) + 2;
            if (available < from + size + 2) return 0;
            if (pass) memmove(body + to, body + from, size);
            from += size + 2, to += size;
            if (!size) break;
        }
    *length = to;
    return from;
}

/* Answers the requests that have arrived whole. Returns 0 when the connection is done for. */
static int serve(Connection *c) {
    while (!c->streaming && c->in_used) {
        char *end = memmem(c->in, c->in_used, "\r\n\r\n", 4);
        if (!end) return 1;
        char *body = end + 4;
        size_t head_length = (size_t)(body - c->in), available = c->in_used - head_length, length = 0, framed = 0;
        end[2] = 0;
        const char *declared = find_header(c->in, "content-length:");
        if (declared) {
            framed = length = strtoul(declared, NULL, 10);
        } else if (find_header(c->in, "transfer-encoding:")) {
            framed = unchunk(body, available, &length);
            if (!framed) length = SIZE_MAX;
        }
        if (available < framed || length == SIZE_MAX) {
            end[2] = '\r';
            return 1;
        }
        if (find_header(c->in, "expect:")) fprintf(stderr, "upstream: Expect is not answered\n");
        if (!answer(c, c->in, body, length)) return 0;
        c->in_used = available - framed;
        memmove(c->in, body + framed, c->in_used);
    }
    return 1;
}

static void accept_all(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_CONNECTIONS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Connection *c = calloc(1, sizeof *c);
        if (!c) die("calloc");
        c->fd = fd;
        connections[fd] = c;
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
    }
}

static int read_all(Connection *c) {
    for (;;) {
        c->in = grow(c->in, &c->in_size, c->in_used + 32768);
        ssize_t got = recv(c->fd, c->in + c->in_used, c->in_size - c->in_used - 1, 0);
        if (got == 0) return 0;
        if (got < 0) return errno == EAGAIN ? serve(c) : 0;
        c->in_used += (size_t)got;
        if (c->in_used < c->in_size - 1) return serve(c);
    }
}

static int listen_on(int port) {
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) die("upstream: cannot listen");
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
    return fd;
}

int main(int count, char **words) {
    int listeners[MAX_PORTS], listening = 0;
    poller = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = timer};
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &e);
    for (int i = 1; i < count && listening < MAX_PORTS; i++) listeners[listening++] = listen_on(atoi(words[i]));
    if (!listening) {
        fprintf(stderr, "usage: upstream PORT [PORT ...]\n");
        return 2;
    }
    puts("listening");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd, is_listener = 0;
            for (int l = 0; l < listening; l++) is_listener |= fd == listeners[l];
            if (fd == timer) {
                uint64_t ticks;
                if (read(timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN) die("timer");
            } else if (is_listener) {
                accept_all(fd);
            } else if (connections[fd]) {
                Connection *c = connections[fd];
                int good = !(events[i].events & EPOLLERR);
                if (good && events[i].events & EPOLLOUT && c->out_used) good = flush(c);
                if (good && events[i].events & (EPOLLIN | EPOLLHUP)) good = read_all(c);
                if (!good) close_connection(c);
            }
        }
        uint64_t time = now();
        while (heap_used && heap[1]->due <= time) {
            Connection *c = heap[1];
            heap_remove(c);
            if (!go_on(c) || !serve(c)) close_connection(c);
        }
        set_timer();
    }
}
