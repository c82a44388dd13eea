/* The wall clock of one process, off by the seconds that the file NIGHT_CLOCK holds (eight bytes): for benchmarks.night.
 * It is loaded before libc by LD_PRELOAD. libfaketime lets Python's timed waits return at once, which is a busy loop. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *off_s;

__attribute__((constructor)) static void open_clock(void) {
    const char *path = getenv("NIGHT_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *off_s, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) off_s = page;
    if (file >= 0) close(file);
}

int clock_gettime(clockid_t which, struct timespec *told) {
    int failed = (int)syscall(SYS_clock_gettime, which, told);
    if (!failed && which == CLOCK_REALTIME && off_s) told->tv_sec += *off_s;
    return failed;
}
