/*
 * Metrics text: what is declared and recorded is what is written.
 */
#include "test_util.h"

#include "base/prom.h"

enum { HITS, SIZE, TIMES, CODES };

static const double bounds[] = { 0.05, 1, 2.5 };
static const struct prom_family families[] = {
	[HITS] = { PROM_COUNTER, "hits_total", "", NULL, 0, "Hits" },
	[SIZE] = { PROM_GAUGE, "size", "who", NULL, 0, "Size" },
	[TIMES] = { PROM_HISTOGRAM, "times", "", bounds, N_OF(bounds),
	    "Times" },
	[CODES] = { PROM_HISTOGRAM, "codes", "method,code", bounds, 1,
	    "Codes" },
};

static struct prom *prom;
static struct buf text;

static int setup(void **state)
{
	(void)state;
	prom = prom_new(families, N_OF(families));
	buf_init(&text, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	prom_free(&prom);
	buf_fini(&text);
	return 0;
}

static const char *written(void)
{
	buf_reset(&text);
	prom_write(prom, &text);
	assert_false(text.overflow);
	return buf_view(&text);
}

static void assert_line(const char *line)
{
	const char *all = written(), *at = strstr(all, line);

	if (!at || (at != all && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("no line \"%s\" in:\n%s", line, all);
}

static void test_families_without_labels_begin_with_zero(void **state)
{
	(void)state;
	assert_line("# HELP hits_total Hits");
	assert_line("# TYPE hits_total counter");
	assert_line("hits_total 0");
	assert_line("times_bucket{le=\"+Inf\"} 0");
	assert_line("times_count 0");
	assert_null(strstr(written(), "size{"));
	assert_line("# TYPE size gauge");
}

static void test_counters_add_and_gauges_are_set(void **state)
{
	const char *const who[] = { "a" };

	(void)state;
	prom_add(prom, HITS, NULL, 1);
	prom_add(prom, HITS, NULL, 2);
	prom_set(prom, SIZE, who, 7.25);
	prom_set(prom, SIZE, who, 5000000000);
	assert_line("hits_total 3");
	assert_line("size{who=\"a\"} 5000000000");
}

static void test_buckets_are_cumulative_and_closed_above(void **state)
{
	(void)state;
	prom_observe(prom, TIMES, NULL, 0.05, 1);
	prom_observe(prom, TIMES, NULL, 0.5, 2);
	prom_observe(prom, TIMES, NULL, 2.6, 1);
	assert_line("times_bucket{le=\"0.05\"} 1");
	assert_line("times_bucket{le=\"1.0\"} 3");
	assert_line("times_bucket{le=\"2.5\"} 3");
	assert_line("times_bucket{le=\"+Inf\"} 4");
	assert_line("times_sum 3.65");
	assert_line("times_count 4");
	assert_int_equal(prom_count(prom, TIMES, NULL), 4);
}

static void test_label_values_are_escaped(void **state)
{
	const char *const values[] = { "a\"b\\c\nd", "200" };

	(void)state;
	prom_observe(prom, CODES, values, 1, 1);
	assert_line("codes_bucket{method=\"a\\\"b\\\\c\\nd\",code=\"200\","
		    "le=\"0.05\"} 0");
	assert_line("codes_count{method=\"a\\\"b\\\\c\\nd\",code=\"200\"} 1");
}

static void test_a_declared_series_is_written(void **state)
{
	const char *const values[] = { "GET", "200" };

	(void)state;
	assert_int_equal(prom_count(prom, CODES, values), 0);
	prom_declare(prom, CODES, values);
	assert_line("codes_count{method=\"GET\",code=\"200\"} 0");
}

static void test_series_are_bounded(void **state)
{
	char name[16];
	const char *const who[] = { name };

	(void)state;
	for (int i = 0; i <= PROM_SERIES_MAX; i++) {
		snprintf(name, sizeof name, "n%d", i);
		prom_set(prom, SIZE, who, 1);
	}
	snprintf(name, sizeof name, "n%d", PROM_SERIES_MAX - 1);
	assert_non_null(strstr(written(), name));
	snprintf(name, sizeof name, "n%d", PROM_SERIES_MAX);
	assert_null(strstr(written(), name));
}

static void test_process_families(void **state)
{
	(void)state;
	prom_write_process(&text, 1700000000.5);
	const char *all = buf_view(&text);
	assert_non_null(
	    strstr(all, "\nprocess_start_time_seconds 1700000000.5\n"));
	assert_non_null(
	    strstr(all, "# TYPE process_cpu_seconds_total counter\n"));
	assert_null(strstr(all, "\nprocess_resident_memory_bytes 0\n"));
	assert_null(strstr(all, "\nprocess_open_fds 0\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_families_without_labels_begin_with_zero),
		T(test_counters_add_and_gauges_are_set),
		T(test_buckets_are_cumulative_and_closed_above),
		T(test_label_values_are_escaped),
		T(test_a_declared_series_is_written),
		T(test_series_are_bounded),
		T(test_process_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
