/*
 * Pages of a listing: offset and limit in, the bare list or the envelope out
 * (contract/hub.md 1.2).
 */
#ifndef CARREL_HUB_PAGING_H
#define CARREL_HUB_PAGING_H

#include "base/jsonw.h"
#include "hub/route.h"

struct paging {
	int64_t offset, limit;
	bool has_envelope; /* the client asked for it */
};

/* -1: the request was answered. */
int paging_read(struct req *r, struct paging *out) MUST_CHECK;
/* The same where the envelope is all there is. */
int paging_read_always(struct req *r, struct paging *out) MUST_CHECK;
/* `items` is a list (or, for routes, an object) of one page out of total. */
void paging_reply(
    struct req *r, const struct paging *p, json_t *take_items, int64_t total);
/* The same with the items written; they are taken. */
void paging_reply_written(
    struct req *r, const struct paging *p, struct jsonw *items, int64_t total);

#endif
