/*
 * The process as Prometheus clients describe it (names of the Python and the
 * Node client): CPU time, memory, descriptors, start.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/prom.h"

static size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	/* ".", ".." and the directory itself */
	return n > 3 ? n - 3 : 0;
}

/* Bytes: whole size, resident, and data of the process. */
static void read_memory(double out[3])
{
	unsigned long long pages[3] = { 0 };
	char *text = NULL;
	size_t len;

	if (file_read_all("/proc/self/statm", 4096, &text, &len, NULL) == 0)
		(void)sscanf(text, "%llu %llu %*u %*u %*u %llu", &pages[0],
		    &pages[1], &pages[2]);
	free(text);
	for (int i = 0; i < 3; i++)
		out[i] = (double)pages[i] * (double)sysconf(_SC_PAGESIZE);
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec * 1e-6;
}

static void write_cpu(struct buf *out)
{
	struct rusage used = { .ru_utime = { 0 } };

	(void)getrusage(RUSAGE_SELF, &used);
	prom_write_value(out, "process_cpu_user_seconds_total", "counter",
	    "User CPU time in seconds", seconds(used.ru_utime));
	prom_write_value(out, "process_cpu_system_seconds_total", "counter",
	    "System CPU time in seconds", seconds(used.ru_stime));
	prom_write_value(out, "process_cpu_seconds_total", "counter",
	    "CPU time in seconds",
	    seconds(used.ru_utime) + seconds(used.ru_stime));
}

void prom_write_process(struct buf *out, double started_s)
{
	struct rlimit files = { .rlim_cur = 0 };
	double memory[3];

	(void)getrlimit(RLIMIT_NOFILE, &files);
	read_memory(memory);
	prom_write_value(out, "process_start_time_seconds", "gauge",
	    "Start of the process, Unix time", started_s);
	write_cpu(out);
	prom_write_value(out, "process_resident_memory_bytes", "gauge",
	    "Resident memory", memory[1]);
	prom_write_value(out, "process_virtual_memory_bytes", "gauge",
	    "Virtual memory", memory[0]);
	prom_write_value(
	    out, "process_heap_bytes", "gauge", "Data memory", memory[2]);
	prom_write_value(out, "process_open_fds", "gauge", "Open descriptors",
	    (double)count_fds());
	prom_write_value(out, "process_max_fds", "gauge",
	    "Limit of descriptors", (double)files.rlim_cur);
}
