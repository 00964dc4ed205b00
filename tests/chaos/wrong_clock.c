/* A wall clock that is wrong by CLOCK_OFF seconds, for the process that loads it (LD_PRELOAD). What measures durations
 * (CLOCK_MONOTONIC and the like) stays right, as on a real host whose time was set wrongly: libfaketime shifts that too,
 * and Python's sleep() then asks the kernel for a moment that is not one.
 *
 *   cc -shared -fPIC -o wrong_clock.so wrong_clock.c
 */
#define _GNU_SOURCE
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long off(void)
{
	const char *seconds = getenv("CLOCK_OFF");

	return seconds ? atol(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int failed = (int)syscall(SYS_clock_gettime, clock, now);

	if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += off();
	return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	int failed = (int)syscall(SYS_gettimeofday, now, zone);

	if (!failed)
		now->tv_sec += off();
	return failed;
}

/* A deadline reckoned from the wrong clock; the kernel waits by the right one. multiprocessing's locks wait like this. */
int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
	struct timespec real = *until;

	real.tv_sec -= off();
	return sem_clockwait(semaphore, CLOCK_REALTIME, &real);
}

time_t time(time_t *now)
{
	struct timespec real;

	clock_gettime(CLOCK_REALTIME, &real);
	if (now)
		*now = real.tv_sec;
	return real.tv_sec;
}
