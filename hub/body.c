/*
 * See body.h.
 */
#include "hub/body.h"

#include <string.h>

static const char *const type_names[] = {
	[BODY_STR] = "a string",
	[BODY_BOOL] = "true or false",
	[BODY_LIST] = "a list",
	[BODY_OBJECT] = "an object",
	[BODY_INT] = "an integer",
	[BODY_MAYBE_STR] = "a string or null",
	[BODY_MAYBE_LIST] = "a list or null",
};

static const char *type_of(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		break;
	}
	return "null";
}

static bool fits(enum body_type type, const json_t *v)
{
	switch (type) {
	case BODY_STR:
		return json_is_string(v);
	case BODY_BOOL:
		return json_is_boolean(v);
	case BODY_LIST:
		return json_is_array(v);
	case BODY_OBJECT:
		return json_is_object(v) || json_is_null(v);
	case BODY_INT:
		return json_is_integer(v);
	case BODY_MAYBE_STR:
		return json_is_string(v) || json_is_null(v);
	case BODY_MAYBE_LIST:
		return json_is_array(v) || json_is_null(v);
	}
	return false;
}

static const char *shown(struct req *r, const char *text)
{
	char *out = arena_alloc(&r->http->arena, 80);

	str_printable(out, 80, text, strlen(text));
	return out;
}

static int check_member(struct req *r, const char *model,
    const struct body_key *keys, const char *name, const json_t *value)
{
	for (; keys->name; keys++) {
		if (strcmp(keys->name, name) != 0)
			continue;
		if (fits(keys->type, value))
			return 0;
		reply_error(r, 400, "%s.%s must be %s, not: %s", model, name,
		    type_names[keys->type], type_of(value));
		return -1;
	}
	reply_error(r, 400, "Invalid JSON keys: %s", shown(r, name));
	return -1;
}

int body_object(
    struct req *r, const char *model, const struct body_key *keys, json_t **out)
{
	const char *name;
	json_t *value;
	int has = req_json(r, out);

	if (has <= 0 || json_is_null(*out))
		return has < 0 ? -1 : 0;
	if (!json_is_object(*out)) {
		reply_error(r, 400,
		    "Invalid JSON data: the body must be an object, not: %s",
		    type_of(*out));
		return -1;
	}
	json_object_foreach (*out, name, value) {
		if (check_member(r, model, keys, name, value) != 0)
			return -1;
	}
	return 1;
}

int body_strings(struct req *r, const char *what, const json_t *list)
{
	size_t i;
	const json_t *item;

	if (json_array_size(list) > BODY_LIST_MAX) {
		reply_error(
		    r, 400, "%s: at most %d at a time", what, BODY_LIST_MAX);
		return -1;
	}
	json_array_foreach (list, i, item) {
		if (json_is_string(item))
			continue;
		reply_error(r, 400,
		    "%s must be a list of strings; item %zu is %s", what, i,
		    type_of(item));
		return -1;
	}
	return 0;
}
