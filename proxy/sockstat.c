/*
 * Sockets of the machine: see sockstat.h.
 */
#include "proxy/sockstat.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/prom.h"
#include "base/str.h"

#define TEXT_MAX 4096

/* The words of "TCP: inuse 30 orphan 0 tw 276 alloc 30 mem 140". */
static void parse_line(struct slice line, struct sockstat *out)
{
	struct slice name, value;
	uint64_t n;

	while (
	    slice_split(&line, ' ', &name) && slice_split(&line, ' ', &value)) {
		if (num_slice_u64(value, &n, NULL) < 0)
			continue;
		if (slice_eq(name, "inuse"))
			out->in_use += n;
		else if (slice_eq(name, "orphan"))
			out->orphans += n;
		else if (slice_eq(name, "tw"))
			out->time_wait += n;
	}
}

void sockstat_parse(const char *text, struct sockstat *out)
{
	struct slice rest = slice_of(text), line, name;

	while (slice_split(&rest, '\n', &line))
		if (slice_split(&line, ' ', &name) &&
		    (slice_eq(name, "TCP:") || slice_eq(name, "TCP6:")))
			parse_line(line, out);
}

static void read_file(const char *path, struct sockstat *out)
{
	char *text = NULL;
	size_t len;

	if (file_read_all(path, TEXT_MAX, &text, &len, NULL) == 0)
		sockstat_parse(text, out);
	free(text);
}

void sockstat_write(struct buf *out)
{
	struct sockstat s = { .in_use = 0 };

	read_file("/proc/self/net/sockstat", &s);
	read_file("/proc/self/net/sockstat6", &s);
	prom_write_head(out, "proxy_machine_sockets", "gauge",
	    "TCP sockets of the machine by state");
	buf_printf(out,
	    "proxy_machine_sockets{state=\"in_use\"} %llu\n"
	    "proxy_machine_sockets{state=\"orphan\"} %llu\n"
	    "proxy_machine_sockets{state=\"time_wait\"} %llu\n",
	    (unsigned long long)s.in_use, (unsigned long long)s.orphans,
	    (unsigned long long)s.time_wait);
}
