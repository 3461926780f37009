/*
 * See page_form.h.
 */
#include "hub/page_form.h"

#include <string.h>

static void answered(struct req *r, int status, json_t *take)
{
	const char *message;

	if (status < 400) {
		r->form_done(r, status, take);
		return;
	}
	message = json_string_value(json_object_get(take, "message"));
	reply_page_error(
	    r, status, "%s", message ? message : "This was refused.");
	json_decref(take);
}

void page_form_call(struct req *r, route_fn *api, json_t *take, answer_fn *done)
{
	json_decref(r->json);
	r->json = take;
	r->form_done = done;
	r->on_answer = answered;
	api(r);
}

void page_form_set(struct req *r, const char *name, const char *value)
{
	struct url_pairs *q = &r->query;
	struct url_pair *items =
	    arena_array(&r->http->arena, q->n + 1, sizeof *items);

	if (q->n > 0)
		memcpy(items, q->items, q->n * sizeof *items);
	items[q->n] = (struct url_pair){ .name = name, .value = value };
	q->items = items;
	q->n++;
}

const char *page_form_text(const struct req *r, const char *name)
{
	const char *text = url_pair_get(&r->form, name);

	return text ? text : "";
}

bool page_form_checked(const struct req *r, const char *name)
{
	return *page_form_text(r, name) != '\0';
}

json_t *page_form_words(struct req *r, const char *name)
{
	static const char gaps[] = " \t\r\n,";
	const char *at = page_form_text(r, name);
	json_t *list = json_array();

	for (at += strspn(at, gaps); *at; at += strspn(at, gaps)) {
		size_t len = strcspn(at, gaps);
		json_array_append_new(list, json_stringn(at, len));
		at += len;
	}
	return list;
}
