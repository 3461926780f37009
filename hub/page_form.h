/*
 * Pages without scripts: a form does what a call of the REST API does, through
 * the API's own handler, so that there is one place that checks and decides.
 */
#ifndef CARREL_HUB_PAGE_FORM_H
#define CARREL_HUB_PAGE_FORM_H

#include "hub/route.h"

/*
 * Call `api` as if `take` were the body of the request (NULL: none). A refusal
 * becomes an error page; otherwise `done` gets the answer (JSON null when it
 * has no body) and answers the browser. The audit log knows it as a change.
 */
void page_form_call(
    struct req *r, route_fn *api, json_t *take, answer_fn *done);
/* One more argument of the query, for the handler. */
void page_form_set(struct req *r, const char *name, const char *value);

/* Fields of the form: "" and false when they are absent. */
const char *page_form_text(const struct req *r, const char *name);
bool page_form_checked(const struct req *r, const char *name);
/* The words of a field, separated by blanks, commas or lines. */
json_t *page_form_words(struct req *r, const char *name);

#endif
