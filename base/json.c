/*
 * See json.h. Texts of jansson are not passed on: they quote the input, which
 * may be a secret; our words and the position say as much.
 */
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/jsonw.h"
#include "base/str.h"

#define NAME_SHOWN 64

/* jansson descends recursively: count brackets before it sees the text. */
static bool is_too_deep(const char *p, size_t len)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string) {
			if (p[i] == '\\')
				i++;
			else if (p[i] == '"')
				in_string = false;
		} else if (p[i] == '"') {
			in_string = true;
		} else if (p[i] == '{' || p[i] == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return true;
		} else if ((p[i] == '}' || p[i] == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

static const char *problem_words(enum json_error_code code)
{
	switch (code) {
	case json_error_stack_overflow:
		return "nested too deep";
	case json_error_invalid_utf8:
		return "not UTF-8";
	case json_error_premature_end_of_input:
		return "it ends too early";
	case json_error_end_of_input_expected:
		return "more text after the value";
	case json_error_duplicate_key:
		return "a member occurs twice";
	case json_error_numeric_overflow:
		return "a number is too large";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "a string contains a NUL";
	case json_error_out_of_memory:
		return "memory is exhausted";
	case json_error_invalid_syntax:
	case json_error_invalid_format:
	case json_error_wrong_type:
	case json_error_null_value:
	case json_error_item_not_found:
	case json_error_index_out_of_range:
	case json_error_cannot_open_file:
	case json_error_invalid_argument:
	case json_error_unknown:
		break;
	}
	return "not well-formed";
}

int json_parse(const char *p, size_t len, json_t **out, struct err *err)
{
	json_error_t problem;

	*out = NULL;
	if (is_too_deep(p, len))
		return err_set(err, ERR_INVALID,
		    "JSON is nested deeper than %d levels", JSON_DEPTH_MAX);
	*out = json_loadb(
	    p, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
	if (!*out)
		return err_set(err, ERR_INVALID, "JSON, line %d, column %d: %s",
		    problem.line, problem.column,
		    problem_words(json_error_code(&problem)));
	return 0;
}

/* ---- in parts ---- */

void json_parts_init(struct json_parts *parts, const char *p, size_t len)
{
	*parts = (struct json_parts){ .rest = slice_make(p, len) };
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blanks(struct slice *s)
{
	while (s->len > 0 && is_blank(*s->p))
		*s = slice_make(s->p + 1, s->len - 1);
}

/* How many bytes up to the comma behind `max` members, or to the bracket that
 * ends them; s.len when there is neither. */
static size_t members_len(struct slice s, size_t max)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (depth == 0 && (c == '}' || c == ']')) {
			return i;
		} else if (c == '}' || c == ']') {
			depth--;
		} else if (c == ',' && depth == 0 && --max == 0) {
			return i;
		}
	}
	return s.len;
}

static int parse_members(struct slice text, json_t **out, struct err *err)
{
	struct buf b;
	int rc;

	buf_init(&b, text.len + 2);
	buf_char(&b, '{');
	buf_append(&b, text.p, text.len);
	buf_char(&b, '}');
	rc = json_parse(buf_view(&b), b.len, out, err);
	buf_fini(&b);
	return rc;
}

static int begin_parts(struct json_parts *parts, struct err *err)
{
	parts->is_begun = true;
	skip_blanks(&parts->rest);
	if (parts->rest.len == 0 || *parts->rest.p != '{')
		return err_set(err, ERR_INVALID, "it is no JSON object");
	parts->rest = slice_make(parts->rest.p + 1, parts->rest.len - 1);
	skip_blanks(&parts->rest);
	parts->is_over = parts->rest.len > 0 && *parts->rest.p == '}';
	if (parts->is_over)
		parts->rest =
		    slice_make(parts->rest.p + 1, parts->rest.len - 1);
	return 0;
}

/* Behind the members stands a comma, or the end of the object. */
static int end_part(struct json_parts *parts, size_t len, struct err *err)
{
	const char *end = parts->rest.p + len;

	if (len == parts->rest.len || *end == ']')
		return err_set(
		    err, ERR_INVALID, "JSON: the object does not end");
	parts->is_over = *end == '}';
	parts->rest = slice_make(end + 1, parts->rest.len - len - 1);
	return 0;
}

int json_parts_next(
    struct json_parts *parts, size_t max, json_t **out, struct err *err)
{
	size_t len;

	*out = NULL;
	if (!parts->is_begun && begin_parts(parts, err) < 0)
		return -1;
	if (parts->is_over) {
		skip_blanks(&parts->rest);
		if (parts->rest.len == 0)
			return 0;
		return err_set(
		    err, ERR_INVALID, "JSON: more text after the value");
	}
	len = members_len(parts->rest, max);
	if (parse_members(slice_make(parts->rest.p, len), out, err) < 0)
		return -1;
	if (json_object_size(*out) > 0 && end_part(parts, len, err) == 0)
		return 1;
	if (json_object_size(*out) == 0)
		err_set(err, ERR_INVALID, "JSON: a member is missing");
	json_decref(*out);
	*out = NULL;
	return -1;
}

char *json_text(const json_t *j, size_t *len_out)
{
	struct jsonw w;
	size_t len;

	jsonw_init(&w);
	jsonw_value(&w, j);
	return jsonw_steal(&w, len_out ? len_out : &len);
}

/* 1 with *out, 0 absent or null, -1 when obj is no object. */
static int member_find(
    const json_t *obj, const char *key, json_t **out, struct err *err)
{
	if (!json_is_object(obj))
		return err_set(
		    err, ERR_INVALID, "the JSON value must be an object");
	*out = json_object_get(obj, key);
	return *out && !json_is_null(*out);
}

int json_get_str(const json_t *obj, const char *key, size_t max_len,
    const char **out, struct err *err)
{
	json_t *v;
	int found = member_find(obj, key, &v, err);

	if (found <= 0)
		return found;
	if (!json_is_string(v))
		return err_set(
		    err, ERR_INVALID, "member \"%s\" must be a string", key);
	if (json_string_length(v) > max_len)
		return err_set(err, ERR_INVALID,
		    "member \"%s\" must be a string of at most %zu bytes", key,
		    max_len);
	*out = json_string_value(v);
	return 1;
}

int json_get_int(const json_t *obj, const char *key, int64_t lo, int64_t hi,
    int64_t *out, struct err *err)
{
	json_t *v;
	int found = member_find(obj, key, &v, err);

	if (found <= 0)
		return found;
	if (!json_is_integer(v) || json_integer_value(v) < lo ||
	    json_integer_value(v) > hi)
		return err_set(err, ERR_INVALID,
		    "member \"%s\" must be a whole number from %" PRId64
		    " to %" PRId64,
		    key, lo, hi);
	*out = json_integer_value(v);
	return 1;
}

int json_get_bool(
    const json_t *obj, const char *key, bool *out, struct err *err)
{
	json_t *v;
	int found = member_find(obj, key, &v, err);

	if (found <= 0)
		return found;
	if (!json_is_boolean(v))
		return err_set(err, ERR_INVALID,
		    "member \"%s\" must be true or false", key);
	*out = json_is_true(v);
	return 1;
}

int json_get_obj(
    const json_t *obj, const char *key, json_t **out, struct err *err)
{
	json_t *v;
	int found = member_find(obj, key, &v, err);

	if (found <= 0)
		return found;
	if (!json_is_object(v))
		return err_set(
		    err, ERR_INVALID, "member \"%s\" must be an object", key);
	*out = v;
	return 1;
}

int json_get_array(const json_t *obj, const char *key, size_t max_items,
    json_t **out, struct err *err)
{
	json_t *v;
	int found = member_find(obj, key, &v, err);

	if (found <= 0)
		return found;
	if (!json_is_array(v))
		return err_set(
		    err, ERR_INVALID, "member \"%s\" must be a list", key);
	if (json_array_size(v) > max_items)
		return err_set(err, ERR_INVALID,
		    "member \"%s\" must be a list of at most %zu items", key,
		    max_items);
	*out = v;
	return 1;
}

static bool is_listed(const char *key, const char *const *keys)
{
	for (; *keys; keys++) {
		if (strcmp(key, *keys) == 0)
			return true;
	}
	return false;
}

int json_only_keys(const json_t *obj, const char *const *keys, struct err *err)
{
	const char *key;
	json_t *v;

	if (!json_is_object(obj))
		return err_set(
		    err, ERR_INVALID, "the JSON value must be an object");
	json_object_foreach ((json_t *)obj, key, v) {
		char shown[NAME_SHOWN];

		if (is_listed(key, keys))
			continue;
		str_printable(shown, sizeof shown, key, strlen(key));
		return err_set(
		    err, ERR_INVALID, "unknown member \"%s\"", shown);
	}
	return 0;
}
