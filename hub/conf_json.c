/*
 * See conf_json.h.
 */
#include "hub/conf_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

static json_t *scalar(const struct conf_node *n)
{
	struct err err;
	int64_t number;

	if (!n->quoted &&
	    (!strcmp(n->text, "true") || !strcmp(n->text, "false")))
		return json_boolean(n->text[0] == 't');
	if (!n->quoted && num_i64(n->text, &number, &err) == 0)
		return json_integer((json_int_t)number);
	return json_string(n->text);
}

/* Depth is bounded by conf_parse (32). */
json_t *conf_json(const struct conf_node *n)
{
	json_t *out;

	switch (n->kind) {
	case CONF_NULL:
		return json_null();
	case CONF_SCALAR:
		return scalar(n);
	case CONF_LIST:
		out = json_array();
		for (const struct conf_node *c = n->child; c; c = c->next)
			json_array_append_new(out, conf_json(c));
		return out;
	case CONF_MAP:
		break;
	}
	out = json_object();
	for (const struct conf_node *c = n->child; c; c = c->next)
		json_object_set_new(out, c->key, conf_json(c));
	return out;
}

const char *conf_json_text(struct arena *a, const struct conf_node *n)
{
	json_t *j = conf_json(n);
	char *text = json_text(j, NULL);
	const char *out = arena_strdup(a, text);

	free(text);
	json_decref(j);
	return out;
}
