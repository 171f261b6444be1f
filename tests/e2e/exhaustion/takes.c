/* Takes one thing that the kernel counts, up to so many or until it is refused, says how many those were, and keeps them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

static int watcher(long n) {
    (void)n;
    return inotify_init1(0) < 0;
}

/* A signal that waits. */
static int signal_(long n) {
    union sigval value = {0};
    sigset_t all;
    (void)n;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    return sigqueue(getpid(), SIGRTMIN, value);
}

/* As large as one is that asks for no size. */
static int queue(long n) {
    struct mq_attr size = {.mq_maxmsg = 10, .mq_msgsize = 8192};
    char name[32];
    snprintf(name, sizeof name, "/%ld-%d", n, getpid());
    return mq_open(name, O_CREAT | O_RDWR, 0600, &size) < 0;
}

static int reads(long n) {
    aio_context_t context = 0;
    (void)n;
    return syscall(SYS_io_setup, 1024, &context) < 0;
}

static int terminal(long n) {
    (void)n;
    return posix_openpt(O_RDWR | O_NOCTTY) < 0;
}

static const struct {
    const char *name;
    int (*take)(long);
} things[] = {{"watchers", watcher}, {"signals", signal_}, {"queues", queue}, {"reads", reads}, {"terminals", terminal}};

int main(int argc, char **argv) {
    long most = argc > 2 ? atol(argv[2]) : 0, n = 0;
    size_t which = 0, count = sizeof things / sizeof *things;
    while (which < count && (argc < 2 || strcmp(things[which].name, argv[1])))
        which++;
    if (which == count)
        return 2;
    errno = 0;
    while (n < most && !things[which].take(n))
        n++;
    printf("%ld of them: %s\n", n, n < most ? strerror(errno) : "all");
    fflush(stdout);
    if (argc > 3)
        for (;;)
            pause();
    return 0;
}
