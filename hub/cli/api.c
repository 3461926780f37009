/*
 * See api.h.
 */
#include "hub/cli/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fetch.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/url.h"
#include "hub/cli/cli.h"
#include "hub/cli/local.h"
#include "hub/cli/text.h"

#define TOKEN_MAX    4096
#define BODY_MAX     (64 * 1024 * 1024)
#define TIMEOUT_MS   120000
#define PAGE_SIZE    200
#define DEFAULT_BASE "http://127.0.0.1:8081/hub/api"

/* ---- where and who ------------------------------------------------------- */

static const char *environment(const char *first, const char *second)
{
	const char *value = getenv(first);

	if (!value || !*value)
		value = getenv(second);
	return value && *value ? value : NULL;
}

static int check_token(const char *token, const char *where, struct err *err)
{
	for (const char *p = token; *p; p++)
		if (*p <= ' ' || *p > '~')
			return err_set(err, ERR_INVALID,
			    "the token in %s has a byte that no token has",
			    where);
	if (!*token)
		return err_set(
		    err, ERR_INVALID, "the token in %s is empty", where);
	return 0;
}

/* A token that others can read is everybody's. */
static int token_of_file(struct api *api, const char *path, struct err *err)
{
	struct stat st;
	char *text;
	size_t len;

	if (stat(path, &st) != 0)
		return err_sys(err, "the token file %s", path);
	if (st.st_mode & 077)
		return err_set(err, ERR_DENIED,
		    "the token file %s can be read by others than its owner; "
		    "`chmod 600` it, and make a new token if somebody may have "
		    "seen this one",
		    path);
	if (file_read_all(path, TOKEN_MAX, &text, &len, err) != 0)
		return -1;
	text[strcspn(text, "\r\n")] = '\0';
	api->token = arena_strdup(&api->arena, text);
	mem_wipe(text, len);
	free(text);
	return check_token(api->token, path, err);
}

static int find_token(struct api *api, struct err *err)
{
	const char *file = call_value(api->call, OPTION_TOKEN_FILE);
	const char *value = environment("CARREL_TOKEN", "JUPYTERHUB_API_TOKEN");

	if (!file && !value)
		file = environment("CARREL_TOKEN_FILE", "CARREL_TOKEN_FILE");
	if (file)
		return token_of_file(api, file, err);
	if (!value)
		return 0;
	api->token = value;
	return check_token(value, "the environment", err);
}

static int find_base(struct api *api, struct err *err)
{
	const char *url = call_value(api->call, OPTION_API_URL);
	struct url parsed;
	size_t len;

	if (!url)
		url = environment("CARREL_API_URL", "JUPYTERHUB_API_URL");
	if (call_has(api->call, OPTION_RUN_DIR) || (!url && !api->token)) {
		api->base = "http://localhost/hub/api";
		return local_socket(&api->arena,
		    call_value(api->call, OPTION_RUN_DIR), &api->unix_socket,
		    err);
	}
	if (!url)
		url = DEFAULT_BASE;
	if (url_parse(&api->arena, url, &parsed, err) != 0)
		return err_wrap(err, "the address of the API, \"%.100s\"", url);
	len = strlen(url);
	while (len > 0 && url[len - 1] == '/')
		len--;
	api->base = arena_strndup(&api->arena, url, len);
	return 0;
}

static int find_hub(struct api *api, struct err *err)
{
	return find_token(api, err) != 0 || find_base(api, err) != 0 ? -1 : 0;
}

int api_run(struct call *c, int (*fn)(struct api *api))
{
	struct api api = { .call = c };
	struct err err = { 0 };
	int rc;

	arena_init(&api.arena);
	api.loop = loop_new();
	api.fetcher = fetcher_new(api.loop, 1);
	if (find_hub(&api, &err) == 0) {
		rc = fn(&api);
	} else {
		(void)cli_fail(&err);
		rc = err.code == ERR_UNAVAILABLE ? EXIT_NO_HUB
		     : err.code == ERR_INVALID   ? EXIT_WRONG_USE
						 : EXIT_FORBIDDEN;
	}
	fetcher_free(&api.fetcher);
	loop_free(&api.loop);
	arena_fini(&api.arena);
	if (rc == EXIT_DONE && (fflush(stdout) != 0 || ferror(stdout))) {
		fprintf(stderr, "carrel: the output could not be written\n");
		rc = EXIT_REFUSED;
	}
	return rc;
}

const char *api_escape(struct api *api, const char *segment)
{
	return url_escape_segment(&api->arena, segment);
}

const char *api_path(struct api *api, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	const char *path = arena_vprintf(&api->arena, fmt, ap);
	va_end(ap);
	return path;
}

/* ---- asking -------------------------------------------------------------- */

struct answer {
	struct loop *loop;
	bool is_done;
	int status;
	json_t *body;
	struct err err;
};

static void on_answer(const struct fetch_result *res, void *arg)
{
	struct answer *a = arg;

	a->is_done = true;
	a->status = res->status;
	a->err = res->err;
	if (res->status != 0 && res->body.len > 0 &&
	    json_parse(res->body.p, res->body.len, &a->body, &a->err) != 0)
		a->body = NULL;
	loop_stop(a->loop);
}

static void ask(struct api *api, const char *method, const char *path,
    json_t *take_body, struct answer *out)
{
	struct fetch_header headers[3] = {
		{ "Accept", "application/jupyterhub-pagination+json, "
			    "application/json" },
		{ "Content-Type", "application/json" },
	};
	size_t len = 0;
	char *body = take_body ? json_text(take_body, &len) : NULL;
	struct fetch_req req = {
		.method = method,
		.url = arena_printf(&api->arena, "%s%s", api->base, path),
		.unix_socket = api->unix_socket,
		.headers = headers,
		.n_headers = 2,
		.body = body,
		.body_len = len,
		.timeout_ms = TIMEOUT_MS,
		.max_body_bytes = BODY_MAX,
	};

	if (api->token) {
		headers[2] = (struct fetch_header){ "Authorization",
			arena_printf(&api->arena, "token %s", api->token) };
		req.n_headers = 3;
	}
	*out = (struct answer){ .loop = api->loop };
	fetch_start(api->fetcher, &req, on_answer, out);
	free(body);
	json_decref(take_body);
	while (!out->is_done)
		loop_run(api->loop);
}

static int no_answer(struct api *api, const struct answer *a)
{
	fprintf(stderr, "carrel: the hub does not answer at %s: %s\n",
	    api->unix_socket ? api->unix_socket : api->base, a->err.text);
	return EXIT_NO_HUB;
}

static int refused(struct api *api, const struct answer *a)
{
	const char *said =
	    json_string_value(json_object_get(a->body, "message"));

	fprintf(stderr, "carrel: %s (%d)\n",
	    text_clean(
		&api->arena, said ? said : "the hub refuses", TEXT_ONE_LINE),
	    a->status);
	switch (a->status) {
	case 401:
	case 403:
		return EXIT_FORBIDDEN;
	case 404:
		return EXIT_NOT_FOUND;
	default:
		return EXIT_REFUSED;
	}
}

static int judge(struct api *api, const struct answer *a)
{
	if (a->status == 0)
		return no_answer(api, a);
	if (a->status >= 200 && a->status <= 299)
		return EXIT_DONE;
	return refused(api, a);
}

int api_ask_status(struct api *api, const char *method, const char *path,
    json_t *take_body, int *status_out)
{
	struct answer a;
	int rc;

	ask(api, method, path, take_body, &a);
	rc = judge(api, &a);
	*status_out = a.status;
	json_decref(a.body);
	return rc;
}

int api_ask(struct api *api, const char *method, const char *path,
    json_t *take_body, json_t **out)
{
	struct answer a;
	int rc;

	ask(api, method, path, take_body, &a);
	rc = judge(api, &a);
	if (rc == EXIT_DONE && out && !a.body) {
		fprintf(stderr,
		    "carrel: the answer of %s%s is no JSON; is this the "
		    "address of a hub's API?\n",
		    api->base, path);
		rc = EXIT_REFUSED;
	}
	if (rc == EXIT_DONE && out)
		*out = a.body;
	else
		json_decref(a.body);
	return rc;
}

/* ---- listings ------------------------------------------------------------ */

/* 1: there is another page, from *offset on. A hub without pagination answers
 * with the bare list. */
static int take_page(json_t *page, json_t *list, int64_t *offset)
{
	json_t *items = json_object_get(page, "items");
	const json_t *next =
	    json_object_get(json_object_get(page, "_pagination"), "next");
	int64_t at;

	json_array_extend(list, items ? items : page);
	if (!json_is_object(next) || json_array_size(items) == 0 ||
	    json_get_int(next, "offset", *offset + 1, INT64_MAX, &at, NULL) !=
		1)
		return 0;
	*offset = at;
	return 1;
}

int api_list(struct api *api, const char *path, const char *query, json_t **out)
{
	json_t *list = json_array(), *page;
	int64_t offset = 0;
	int rc, more;

	do {
		const char *full = arena_printf(&api->arena,
		    "%s?%s%slimit=%d&offset=%lld", path, query,
		    *query ? "&" : "", PAGE_SIZE, (long long)offset);
		rc = api_ask(api, "GET", full, NULL, &page);
		if (rc != EXIT_DONE) {
			json_decref(list);
			return rc;
		}
		more = take_page(page, list, &offset);
		json_decref(page);
	} while (more);
	*out = list;
	return EXIT_DONE;
}
