/*
 * proxy/frame: lengths and chunks, whole and in pieces.
 */
#include "test_util.h"

#include "proxy/frame.h"

/* Decode `text` in pieces of `step` bytes; the payload comes together. */
static enum frame_result decode(struct frame *f, const char *text, size_t step,
    char *out, size_t *out_len, size_t *used_out)
{
	char copy[1024];
	size_t len = strlen(text), at = 0;
	enum frame_result r = FRAME_MORE;

	assert_true(len < sizeof copy);
	*out_len = 0;
	while (at < len && r == FRAME_MORE) {
		size_t n = len - at < step ? len - at : step, used;
		struct slice payload;

		memcpy(copy, text + at, n);
		r = frame_decode(f, copy, n, &payload, &used);
		if (r == FRAME_BAD)
			return r;
		assert_true(used <= n);
		assert_true(payload.p >= copy &&
			    payload.p + payload.len <= copy + used);
		memcpy(out + *out_len, payload.p, payload.len);
		*out_len += payload.len;
		at += used;
		if (r == FRAME_MORE)
			assert_int_equal(used, n);
	}
	*used_out = at;
	return r;
}

static void test_chunks_in_pieces_of_any_size(void **state)
{
	static const char text[] =
	    "3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n"
	    "001\r\n!\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\nnext";

	(void)state;
	for (size_t step = 1; step < sizeof text; step++) {
		struct frame f;
		char out[256];
		size_t len, used;

		frame_init(&f, HTTP_BODY_CHUNKED, 0);
		assert_int_equal(
		    decode(&f, text, step, out, &len, &used), FRAME_DONE);
		assert_int_equal(len, 14);
		assert_memory_equal(out, "abc0123456789!", 14);
		assert_int_equal(used, strlen(text) - 4);
		assert_non_null(f.trailers);
		assert_string_equal(
		    buf_view(f.trailers), "X-Sum: 1\r\nY: 2\r\n");
		assert_true(frame_is_complete(&f));
		frame_fini(&f);
		assert_null(f.trailers);
	}
}

static void test_broken_chunks_are_refused_in_any_pieces(void **state)
{
	static const char *const table[] = {
		"\r\n",
		"g\r\n",
		" 3\r\nabc\r\n",
		"3 \r\nabc\r\n",
		"+3\r\nabc\r\n",
		"-3\r\nabc\r\n",
		"0x3\r\nabc\r\n",
		";x\r\n",
		"3\nabc\r\n",
		"3\rabc\r\n",
		"3;x\nabc\r\n",
		"3;\x01\r\nabc\r\n",
		"3\r\nabcd\r\n",
		"3\r\nabc\n3\r\n",
		"3\r\nabc\r3\r\n",
		"3\r\nabc3\r\n",
		"1111111111111111\r\n",
		"0000000000000001\r\n",
		"0\r\nA: b\nC: d\r\n\r\n",
		"0\r\n\rx",
		"0\r\nA\rb\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++)
		for (size_t step = 1; step <= strlen(table[i]); step++) {
			struct frame f;
			char out[256];
			size_t len, used;

			frame_init(&f, HTTP_BODY_CHUNKED, 0);
			if (decode(&f, table[i], step, out, &len, &used) !=
			    FRAME_BAD)
				fail_msg("taken: %s", table[i]);
			frame_fini(&f);
		}
}

static void test_the_largest_chunk_size_does_not_overflow(void **state)
{
	struct frame f;
	char out[16];
	size_t len, used;

	(void)state;
	frame_init(&f, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(
	    decode(&f, "fffffffffffffff\r\nab", 100, out, &len, &used),
	    FRAME_MORE);
	assert_int_equal(f.left, 0xfffffffffffffff - 2);
	frame_fini(&f);
}

static void test_trailers_and_extensions_are_bounded(void **state)
{
	struct frame f;
	struct slice payload;
	char line[1024];
	size_t used;
	enum frame_result r = FRAME_MORE;

	(void)state;
	frame_init(&f, HTTP_BODY_CHUNKED, 0);
	memcpy(line, "0\r\n", 3);
	assert_int_equal(
	    frame_decode(&f, line, 3, &payload, &used), FRAME_MORE);
	memset(line, 'a', sizeof line);
	for (int i = 0; i < 20 && r == FRAME_MORE; i++)
		r = frame_decode(&f, line, sizeof line, &payload, &used);
	assert_int_equal(r, FRAME_BAD);
	frame_fini(&f);

	frame_init(&f, HTTP_BODY_CHUNKED, 0);
	memcpy(line, "1;", 2);
	r = FRAME_MORE;
	for (int i = 0; i < 20 && r == FRAME_MORE; i++) {
		r = frame_decode(&f, line, sizeof line, &payload, &used);
		memset(line, 'a', sizeof line);
	}
	assert_int_equal(r, FRAME_BAD);
	frame_fini(&f);
}

static void test_length(void **state)
{
	struct frame f;
	char out[16];
	size_t len, used;

	(void)state;
	for (size_t step = 1; step < 9; step++) {
		frame_init(&f, HTTP_BODY_LENGTH, 5);
		assert_false(frame_is_complete(&f));
		assert_int_equal(
		    decode(&f, "hello next", step, out, &len, &used),
		    FRAME_DONE);
		assert_int_equal(used, 5);
		assert_memory_equal(out, "hello", 5);
		assert_true(frame_is_complete(&f));
	}
	frame_init(&f, HTTP_BODY_LENGTH, 0);
	assert_true(frame_is_complete(&f));
}

static void test_no_body_and_until_close(void **state)
{
	struct frame f;
	struct slice payload;
	char text[] = "abc";
	size_t used;

	(void)state;
	frame_init(&f, HTTP_BODY_NONE, 7);
	assert_true(frame_is_complete(&f));
	assert_int_equal(
	    frame_decode(&f, text, 3, &payload, &used), FRAME_DONE);
	assert_int_equal(used, 0);
	frame_init(&f, HTTP_BODY_UNTIL_CLOSE, 0);
	assert_int_equal(
	    frame_decode(&f, text, 3, &payload, &used), FRAME_MORE);
	assert_int_equal(used, 3);
	assert_int_equal(payload.len, 3);
	assert_false(frame_is_complete(&f));
}

static void test_size_lines(void **state)
{
	static const struct {
		size_t n;
		const char *line;
	} table[] = {
		{ 0, "0\r\n" },
		{ 9, "9\r\n" },
		{ 31, "1f\r\n" },
		{ 65536, "10000\r\n" },
		{ SIZE_MAX, "ffffffffffffffff\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		char out[FRAME_SIZE_LINE_MAX];
		size_t n = frame_size_line(out, table[i].n);

		assert_int_equal(n, strlen(table[i].line));
		assert_memory_equal(out, table[i].line, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks_in_pieces_of_any_size),
		cmocka_unit_test(test_broken_chunks_are_refused_in_any_pieces),
		cmocka_unit_test(test_the_largest_chunk_size_does_not_overflow),
		cmocka_unit_test(test_trailers_and_extensions_are_bounded),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_no_body_and_until_close),
		cmocka_unit_test(test_size_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
