/*
 * Families and series: see prom.h. A series is found by its labels as they will
 * be written, so writing is copying.
 */
#include "base/prom.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

#define LABELS_TEXT_MAX 2048
/* Doubles hold every whole number up to here. */
#define WHOLE_MAX       9007199254740992.0

struct series {
	char *labels; /* 'method="GET",code="200"' */
	double value; /* of a histogram: the sum */
	uint64_t n;
	uint64_t bucket[]; /* one per bound and +Inf; not cumulative */
};

struct prom {
	const struct prom_family *families;
	size_t n;
	struct map **series; /* labels -> struct series, one map per family */
};

/* ---- text ---------------------------------------------------------------- */

static bool is_plain(char c)
{
	return c != '\0' && c != '\n' && c != '"' && c != '\\';
}

static void write_escaped(struct buf *out, const char *s)
{
	while (*s) {
		size_t n = 0;

		while (is_plain(s[n]))
			n++;
		buf_append(out, s, n);
		s += n;
		if (!*s)
			return;
		buf_char(out, '\\');
		buf_char(out, *s == '\n' ? 'n' : *s);
		s++;
	}
}

static bool is_whole(double v)
{
	return v > -WHOLE_MAX && v < WHOLE_MAX && (double)(int64_t)v == v;
}

static void write_number(struct buf *out, double v)
{
	if (is_whole(v))
		buf_printf(out, "%lld", (long long)v);
	else
		buf_printf(out, "%.15g", v);
}

/* As the reference's clients write it: "1.0", "0.005", "+Inf". */
static void write_bound(struct buf *out, const struct prom_family *f, size_t i)
{
	if (i == f->n_bounds)
		buf_str(out, "+Inf");
	else
		buf_printf(out, "%.15g%s", f->bounds[i],
		    is_whole(f->bounds[i]) ? ".0" : "");
}

void prom_write_head(
    struct buf *out, const char *name, const char *kind, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

void prom_write_value(struct buf *out, const char *name, const char *kind,
    const char *help, double value)
{
	prom_write_head(out, name, kind, help);
	buf_printf(out, "%s ", name);
	write_number(out, value);
	buf_char(out, '\n');
}

static void labels_text(
    struct buf *out, const struct prom_family *f, const char *const *values)
{
	struct slice rest = slice_of(f->labels), name;

	for (size_t i = 0; rest.len > 0 && slice_split(&rest, ',', &name);
	     i++) {
		if (i > 0)
			buf_char(out, ',');
		buf_append(out, name.p, name.len);
		buf_str(out, "=\"");
		write_escaped(out, values[i]);
		buf_char(out, '"');
	}
}

/* ---- series -------------------------------------------------------------- */

static size_t n_buckets(const struct prom_family *f)
{
	return f->kind == PROM_HISTOGRAM ? f->n_bounds + 1 : 0;
}

static struct series *add_series(
    struct map *all, const struct prom_family *f, const char *labels)
{
	struct series *s;

	if (map_count(all) >= PROM_SERIES_MAX)
		return NULL;
	s = xcalloc(1, sizeof *s + n_buckets(f) * sizeof s->bucket[0]);
	s->labels = xstrdup(labels);
	map_put(all, slice_of(labels), s);
	return s;
}

/* NULL: there are too many, or too long ones. */
static struct series *find(const struct prom *p, size_t family,
    const char *const *values, bool may_add)
{
	const struct prom_family *f = &p->families[family];
	struct series *s = NULL;
	struct buf labels;

	assert(family < p->n);
	buf_init(&labels, LABELS_TEXT_MAX);
	labels_text(&labels, f, values);
	if (!labels.overflow) {
		s = map_get(p->series[family], slice_of(buf_view(&labels)));
		if (!s && may_add)
			s = add_series(p->series[family], f, buf_view(&labels));
	}
	buf_fini(&labels);
	return s;
}

void prom_declare(struct prom *p, size_t family, const char *const *values)
{
	(void)find(p, family, values, true);
}

void prom_set(
    struct prom *p, size_t family, const char *const *values, double value)
{
	struct series *s = find(p, family, values, true);

	assert(p->families[family].kind != PROM_HISTOGRAM);
	if (s)
		s->value = value;
}

void prom_add(
    struct prom *p, size_t family, const char *const *values, double value)
{
	struct series *s = find(p, family, values, true);

	assert(p->families[family].kind != PROM_HISTOGRAM);
	if (s)
		s->value += value;
}

static size_t bucket_of(const struct prom_family *f, double value)
{
	size_t b = 0;

	while (b < f->n_bounds && value > f->bounds[b])
		b++;
	return b;
}

void prom_observe(struct prom *p, size_t family, const char *const *values,
    double value, uint64_t times)
{
	const struct prom_family *f = &p->families[family];
	struct series *s = find(p, family, values, true);

	assert(f->kind == PROM_HISTOGRAM);
	if (!s)
		return;
	s->bucket[bucket_of(f, value)] += times;
	s->value += value * (double)times;
	s->n += times;
}

uint64_t prom_count(
    const struct prom *p, size_t family, const char *const *values)
{
	const struct series *s = find(p, family, values, false);

	return s ? s->n : 0;
}

/* ---- everything ---------------------------------------------------------- */

static void write_name(struct buf *out, const struct prom_family *f,
    const char *suffix, const struct series *s)
{
	buf_printf(out, "%s%s", f->name, suffix);
	if (*s->labels)
		buf_printf(out, "{%s}", s->labels);
	buf_char(out, ' ');
}

static void write_buckets(
    struct buf *out, const struct prom_family *f, const struct series *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i <= f->n_bounds; i++) {
		n += s->bucket[i];
		buf_printf(out, "%s_bucket{%s%sle=\"", f->name, s->labels,
		    *s->labels ? "," : "");
		write_bound(out, f, i);
		buf_printf(out, "\"} %llu\n", (unsigned long long)n);
	}
}

static void write_series(
    struct buf *out, const struct prom_family *f, const struct series *s)
{
	if (f->kind != PROM_HISTOGRAM) {
		write_name(out, f, "", s);
		write_number(out, s->value);
		buf_char(out, '\n');
		return;
	}
	write_buckets(out, f, s);
	write_name(out, f, "_sum", s);
	write_number(out, s->value);
	buf_char(out, '\n');
	write_name(out, f, "_count", s);
	buf_printf(out, "%llu\n", (unsigned long long)s->n);
}

static const char *kind_name(enum prom_kind kind)
{
	switch (kind) {
	case PROM_COUNTER:
		return "counter";
	case PROM_GAUGE:
		return "gauge";
	case PROM_HISTOGRAM:
		return "histogram";
	}
	return "untyped";
}

void prom_write(const struct prom *p, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct prom_family *f = &p->families[i];
		const char *labels;
		size_t pos = 0;
		void *value;

		prom_write_head(out, f->name, kind_name(f->kind), f->help);
		while (map_next(p->series[i], &pos, &labels, &value))
			write_series(out, f, value);
	}
}

/* ---- life ---------------------------------------------------------------- */

struct prom *prom_new(const struct prom_family *families, size_t n)
{
	struct prom *p = xcalloc(1, sizeof *p);

	p->families = families;
	p->n = n;
	p->series = xcalloc(n, sizeof(struct map *));
	for (size_t i = 0; i < n; i++) {
		p->series[i] = map_new();
		if (!*families[i].labels)
			prom_declare(p, i, NULL);
	}
	return p;
}

static void free_family(struct map **all)
{
	const char *labels;
	size_t pos = 0;
	void *value;

	while (map_next(*all, &pos, &labels, &value)) {
		free(((struct series *)value)->labels);
		free(value);
	}
	map_free(all);
}

void prom_free(struct prom **pp)
{
	struct prom *p = *pp;

	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		free_family(&p->series[i]);
	free(p->series);
	free(p);
	*pp = NULL;
}
