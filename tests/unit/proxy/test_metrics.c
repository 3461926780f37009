/*
 * proxy/metrics and the dates of proxy/api.
 */
#include "test_util.h"

#include "proxy/api.h"
#include "proxy/metrics.h"

static struct metrics first, second;

static void has_line(const struct buf *b, const char *line)
{
	char wanted[256];

	snprintf(wanted, sizeof wanted, "\n%s\n", line);
	if (strstr(buf_view(b), wanted) == NULL)
		fail_msg("no line \"%s\" in:\n%s", line, buf_view(b));
}

static void write_all(struct buf *b)
{
	struct metrics *const sets[] = { &first, &second };

	buf_init(b, (size_t)1 << 20);
	metrics_write(b, sets, 2, 7, 1700000000);
	assert_false(b->overflow);
}

static void test_sets_are_summed(void **state)
{
	struct buf b;

	(void)state;
	metric_add(&first.requests_web, 2);
	metric_add(&second.requests_web, 3);
	metric_add(&second.requests_proxy[503], 4);
	metric_set(&first.longest_turn_us, 1500);
	write_all(&b);
	has_line(&b, "requests_web 5");
	has_line(&b, "requests_ws 0");
	has_line(&b, "requests_proxy{status=\"503\"} 4");
	has_line(&b, "proxy_routes 7");
	has_line(&b, "proxy_longest_turn_seconds 0.0015");
	has_line(&b, "process_start_time_seconds 1700000000");
	assert_null(strstr(buf_view(&b), "status=\"200\""));
	buf_fini(&b);
}

static void test_quantiles_are_near(void **state)
{
	struct buf b;
	const char *at;
	double q50 = 0, q99 = 0;

	(void)state;
	memset(&first, 0, sizeof first);
	for (uint64_t i = 1; i <= 1000; i++)
		metrics_note(&first.find_target, i * 1000);
	metrics_note(&second.activity, UINT64_MAX);
	metrics_note(&second.activity, 0);
	write_all(&b);
	at = strstr(buf_view(&b), "find_target_for_req{quantile=\"0.5\"}");
	assert_non_null(at);
	assert_int_equal(sscanf(strchr(at, '}') + 1, "%lf", &q50), 1);
	at = strstr(buf_view(&b), "find_target_for_req{quantile=\"0.99\"}");
	assert_non_null(at);
	assert_int_equal(sscanf(strchr(at, '}') + 1, "%lf", &q99), 1);
	assert_true(q50 > 0.0004 && q50 < 0.00065);
	assert_true(q99 > 0.0009 && q99 < 0.00125);
	has_line(&b, "find_target_for_req_count 1000");
	has_line(&b, "last_activity_updating_count 2");
	buf_fini(&b);
}

static void test_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} table[] = {
		{ "1970-01-01T00:00:01Z", 1000 },
		{ "1970-01-01T00:00:01.250Z", 1250 },
		{ "1970-01-01T01:00:01+01:00", 1000 },
		{ "1970-01-02", 86400000 },
		{ "Fri, 02 Jan 1970 00:00:00 GMT", 86400000 },
		{ "1971", 31536000000 },
		{ "endoftheuniverse", -1 },
		{ "", -1 },
		{ "1970-13-01", -1 },
		{ "1970-01-02x", -1 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		int64_t ms = -1;
		struct err err;
		int rc = api_parse_date(table[i].text, &ms, &err);

		if ((rc == 0) != (table[i].ms >= 0) ||
		    (rc == 0 && ms != table[i].ms))
			fail_msg("%s", table[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets_are_summed),
		cmocka_unit_test(test_quantiles_are_near),
		cmocka_unit_test(test_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
