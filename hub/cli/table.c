/*
 * See table.h.
 */
#include "hub/cli/table.h"

#include <assert.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hub/cli/text.h"

#define GAP       2
/* A column is not cut below this. */
#define WIDTH_MIN 6

void table_init(struct table *t, struct arena *a, const char *const *titles)
{
	*t = (struct table){ .arena = a, .titles = titles };
	while (titles[t->n_columns])
		t->n_columns++;
	assert(t->n_columns > 0 && t->n_columns <= TABLE_COLUMNS_MAX);
}

void table_add(struct table *t, const char *text)
{
	if (t->n_cells == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		const char **cells = arena_array(t->arena, cap, sizeof *cells);
		if (t->n_cells > 0)
			memcpy(cells, t->cells, t->n_cells * sizeof *cells);
		t->cells = cells;
		t->cap = cap;
	}
	t->cells[t->n_cells++] =
	    text && *text ? text_clean(t->arena, text, TEXT_ONE_LINE) : "-";
}

/* The widest one gives way, until it fits or none can. */
static void fit(size_t *widths, size_t n, size_t width)
{
	for (;;) {
		size_t sum = GAP * (n - 1), widest = 0;
		for (size_t i = 0; i < n; i++) {
			sum += widths[i];
			if (widths[i] > widths[widest])
				widest = i;
		}
		if (sum <= width || widths[widest] <= WIDTH_MIN)
			return;
		widths[widest]--;
	}
}

static void print_row(const struct table *t, const char *const *cells,
    const size_t *widths, FILE *f)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		const char *text = text_cut(t->arena, cells[i], widths[i]);
		size_t pad = widths[i] - text_width(text) + GAP;
		fputs(text, f);
		if (i + 1 < t->n_columns)
			fprintf(f, "%*s", (int)pad, "");
	}
	fputc('\n', f);
}

void table_print(const struct table *t, size_t width, FILE *f)
{
	size_t widths[TABLE_COLUMNS_MAX];
	size_t n = t->n_columns;

	for (size_t i = 0; i < n; i++)
		widths[i] = text_width(t->titles[i]);
	for (size_t i = 0; i < t->n_cells; i++) {
		size_t w = text_width(t->cells[i]);
		if (w > widths[i % n])
			widths[i % n] = w;
	}
	if (width > 0)
		fit(widths, n, width);
	print_row(t, t->titles, widths, f);
	for (size_t i = 0; i + n <= t->n_cells; i += n)
		print_row(t, t->cells + i, widths, f);
}

size_t table_terminal_width(FILE *f)
{
	struct winsize w;

	if (!isatty(fileno(f)) || ioctl(fileno(f), TIOCGWINSZ, &w) != 0)
		return 0;
	return w.ws_col;
}
