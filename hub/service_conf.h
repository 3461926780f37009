/*
 * The section `services` of carrel.yaml, read and checked
 * (contract/hub.md 9.1). Pure: hub/service_load.c brings the database to it.
 */
#ifndef CARREL_HUB_SERVICE_CONF_H
#define CARREL_HUB_SERVICE_CONF_H

#include "hub/config.h"

struct service_conf {
	const char *name;
	bool admin, display, no_confirm;
	const char *url;    /* "": it serves nothing */
	const char *origin; /* http://host:port of it; "" */
	/* Of a managed one: the entry of spawner.yaml; NULL: it is external. */
	const char *managed;
	int32_t port; /* of a managed one: 0 any; -1: it does not listen */
	const char *api_token;      /* "": none */
	const char *api_token_file; /* "" */
	/* Its OAuth client; NULL: it has none, people need not log in to it. */
	const char *client_id;
	const char *redirect_uri;
	const char *allowed_scopes; /* a JSON list */
	const char *info;           /* a JSON object */
	int64_t timeout_s;
};

/* What is said of a service, before it is judged. */
struct service_options {
	const char *name, *url, *managed, *api_token, *api_token_file;
	const char *client_id, *redirect_uri, *info; /* info: a JSON object */
	bool admin, display, no_confirm;
	bool wants_client; /* an option of its OAuth client was said */
	bool has_token;    /* it has one, which is not said again */
	struct conf_strings allowed_scopes;
	int64_t timeout_s;
};

/* ERR_INVALID. Strings are borrowed or live in a. */
int service_conf_make(struct arena *a, const struct config *cfg,
    const struct service_options *o, struct service_conf *out,
    struct err *err) MUST_CHECK;

struct service_confs {
	struct service_conf *items;
	size_t n;
};

/*
 * Strings live in a. Files are not opened. ERR_INVALID: "file:line:column:
 * ...", the first problem; also appended to *problems (may be NULL) as a line.
 */
int service_conf_read(struct arena *a, const struct config *cfg,
    const char *file, struct service_confs *out, struct buf *problems,
    struct err *err) MUST_CHECK;
/* Does the section (NULL: there is none) name this service? */
bool service_conf_names(const struct conf_node *services, const char *name);
/* "/services/NAME/" below base_url. */
const char *service_conf_prefix(
    struct arena *a, const struct config *cfg, const char *name);
/* Where a browser finds it: the same, absolute when it has its own host. */
const char *service_conf_url(
    struct arena *a, const struct config *cfg, const char *name);

#endif
