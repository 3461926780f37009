/*
 * The hub's REST API for the verbs of `carrel`: finds the hub and the
 * credential, asks, says what is wrong. A function that returns an exit code
 * has told the person why when it is not EXIT_DONE.
 */
#ifndef CARREL_HUB_CLI_API_H
#define CARREL_HUB_CLI_API_H

#include "base/arena.h"
#include "base/json.h"
#include "hub/cli/verb.h"

struct api {
	const struct call *call;
	struct arena arena; /* for the whole run of the program */
	struct loop *loop;
	struct fetcher *fetcher;
	const char *base;        /* "http://127.0.0.1:8081/hub/api" */
	const char *unix_socket; /* NULL: by base */
	const char *token;       /* NULL: by the socket */
};

/* Run `fn` with the API of the call, and free all. */
int api_run(struct call *c, int (*fn)(struct api *api));

/* "/users/alice/server" with the parts escaped: those of `fmt` that are %s. */
const char *api_path(struct api *api, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *api_escape(struct api *api, const char *segment);
/* take_body may be NULL. *out (NULL: nobody wants it) is the answer, NULL when
 * it has none; the caller frees it. */
int api_ask(struct api *api, const char *method, const char *path,
    json_t *take_body, json_t **out);
/* The same; *status_out tells 201 from 202. */
int api_ask_status(struct api *api, const char *method, const char *path,
    json_t *take_body, int *status_out);
/* Every page of a listing, joined. query: "" or "a=b&c=d". */
int api_list(
    struct api *api, const char *path, const char *query, json_t **out);

/* ---- for people ---- */

bool api_wants_json(const struct api *api);
/* With a line feed, in order, readable. */
void api_print_json(const json_t *j);
/* At a terminal, unless --yes: may it be done? */
bool api_confirm(struct api *api, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A member as text for a table: strings as they are, lists with commas, true
 * as "yes", false and null as NULL. */
const char *api_text(struct api *api, const json_t *obj, const char *member);
/* The same for a point in time: "2026-01-02 03:04", in UTC. */
const char *api_time(struct api *api, const json_t *obj, const char *member);
/* "name: text", made clean; nothing when text is NULL. */
void api_say(struct api *api, const char *name, const char *text);

#endif
