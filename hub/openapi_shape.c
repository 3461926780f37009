/*
 * See openapi_shape.h. The little language is read each time the document is
 * made, which is rare; what is wrong in it stops the program's own tests.
 */
#include "hub/openapi_shape.h"

#include <assert.h>
#include <string.h>

static const struct shape {
	const char *name;
	bool is_closed;
	const char *members;
} shapes[] = {
#define SHAPE(name, is_closed, members) { name, is_closed, members },
#define PARAM(...)
#define OPERATION(...)
#include "hub/openapi.def"
#undef SHAPE
#undef PARAM
#undef OPERATION
};

#define N_SHAPES (sizeof shapes / sizeof shapes[0])

static bool take_end(struct slice *s, const char *end)
{
	size_t len = strlen(end);

	if (s->len < len || memcmp(s->p + s->len - len, end, len) != 0)
		return false;
	s->len -= len;
	return true;
}

static json_t *plain(struct slice name)
{
	static const char *const known[] = { "string", "boolean", "integer",
		"object" };

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (slice_eq(name, known[i]))
			return json_pack("{s:s}", "type", known[i]);
	if (slice_eq(name, "time"))
		return json_pack(
		    "{s:s, s:s}", "type", "string", "format", "date-time");
	for (size_t i = 0; i < N_SHAPES; i++)
		if (slice_eq(name, shapes[i].name))
			return json_pack("{s:o}", "$ref",
			    json_sprintf("#/components/schemas/%.*s",
				(int)name.len, name.p));
	assert(!"a type of openapi.def is unknown");
	return NULL;
}

json_t *openapi_type(struct slice text)
{
	bool or_null = take_end(&text, "|null");
	bool is_list = take_end(&text, "[]"), is_map = take_end(&text, "{}");
	json_t *j = plain(text);

	if (is_list)
		j = json_pack("{s:s, s:o}", "type", "array", "items", j);
	if (is_map)
		j = json_pack(
		    "{s:s, s:o}", "type", "object", "additionalProperties", j);
	if (or_null)
		j = json_pack("{s:[o, {s:s}]}", "anyOf", j, "type", "null");
	return j;
}

static json_t *shape_of(const struct shape *s)
{
	json_t *members = json_object(), *required = json_array(), *j;
	struct slice rest = slice_of(s->members), one, name;

	while (slice_split(&rest, ' ', &one)) {
		bool has_name = slice_split(&one, ':', &name);
		assert(has_name);
		bool may_lack = take_end(&name, "?");
		json_t *key = json_stringn(name.p, name.len);
		json_object_set_new(
		    members, json_string_value(key), openapi_type(one));
		if (!may_lack)
			json_array_append(required, key);
		json_decref(key);
	}
	j = json_pack("{s:s, s:o}", "type", "object", "properties", members);
	if (json_array_size(required) > 0)
		json_object_set(j, "required", required);
	json_decref(required);
	if (s->is_closed)
		json_object_set_new(j, "additionalProperties", json_false());
	return j;
}

json_t *openapi_shapes(void)
{
	json_t *all = json_object();

	for (size_t i = 0; i < N_SHAPES; i++)
		json_object_set_new(all, shapes[i].name, shape_of(&shapes[i]));
	return all;
}
