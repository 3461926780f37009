/*
 * Metrics in the text format of Prometheus (0.0.4): families that are declared
 * in a table, series that appear when something is recorded, and the families
 * of the process itself. One thread; knows no product word.
 */
#ifndef CARREL_BASE_PROM_H
#define CARREL_BASE_PROM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum prom_kind { PROM_COUNTER, PROM_GAUGE, PROM_HISTOGRAM };

struct prom_family {
	enum prom_kind kind;
	const char *name;
	const char *labels;   /* "method,code"; "": none */
	const double *bounds; /* upper ends, ascending, without +Inf */
	size_t n_bounds;
	const char *help;
};

/* Label sets that a family may have; what comes after is not recorded. */
#define PROM_SERIES_MAX 4096

struct prom;

/* The table must outlive it. Families without labels have their series at once,
 * with 0. */
struct prom *prom_new(const struct prom_family *families, size_t n);
void prom_free(struct prom **p);

/*
 * `values` are those of the family's labels, in that order, NULL when it has
 * none. Any text is right; it is escaped.
 */
void prom_set(
    struct prom *p, size_t family, const char *const *values, double value);
void prom_add(
    struct prom *p, size_t family, const char *const *values, double value);
/* `times` observations of the same value. */
void prom_observe(struct prom *p, size_t family, const char *const *values,
    double value, uint64_t times);
/* The series exists from now on, with 0. */
void prom_declare(struct prom *p, size_t family, const char *const *values);

/* How many observations a series has; 0 when there is none. */
uint64_t prom_count(
    const struct prom *p, size_t family, const char *const *values);
void prom_write(const struct prom *p, struct buf *out);

/* For those who keep their numbers elsewhere. kind: "counter", "gauge", ... */
void prom_write_head(
    struct buf *out, const char *name, const char *kind, const char *help);
/* A family with one series and no label. */
void prom_write_value(struct buf *out, const char *name, const char *kind,
    const char *help, double value);
/* The families process_*; started_s is Unix time. */
void prom_write_process(struct buf *out, double started_s);

#endif
