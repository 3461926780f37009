/*
 * Groups of Google. A person's own token cannot ask the directory of a domain:
 * a service account does, in the name of an administrator (google_account.h).
 * Its token is kept until shortly before it ends; logins that come meanwhile
 * ask for one each.
 *
 * Directory API, groups.list with userKey: {"groups": [{"email", ...}],
 * "nextPageToken"}; "groups" is missing where there are none.
 * developers.google.com/workspace/admin/directory/reference/rest/v1/groups/list
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/google_account.h"
#include "auth/oauth_priv.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"

#define PAGES_MAX  10
#define TOKEN_MAX  4096
/* A token that ends while it is on its way is none. */
#define MARGIN_S   60
#define LASTS_S    3600
#define WHAT_TOKEN "the service account's token"
#define WHAT_LIST  "the directory's groups"

struct domain {
	const char *name;
	struct google_account *account;
	char *token; /* NULL: none yet */
	int64_t until_s;
};

struct oauth_google {
	struct domain *domains;
	size_t n;
};

/* ---- life ---------------------------------------------------------------- */

static const char *value_of(const struct conf_pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->n; i++) {
		if (!strcasecmp(pairs->items[i].name, name))
			return pairs->items[i].value;
	}
	return NULL;
}

int oauth_google_open(
    const struct oauth_options *opt, struct oauth_google **out, struct err *err)
{
	const struct conf_pairs *keys = &opt->google_service_account_keys;
	struct oauth_google *g;

	if (keys->n == 0)
		return 0;
	g = xcalloc(1, sizeof *g);
	g->domains = xcalloc(keys->n, sizeof *g->domains);
	for (; g->n < keys->n; g->n++) {
		struct domain *d = &g->domains[g->n];

		d->name = keys->items[g->n].name;
		d->account =
		    google_account_open(keys->items[g->n].value, d->name,
			value_of(&opt->gsuite_administrator, d->name), err);
		if (!d->account) {
			oauth_google_close(&g);
			return err_wrap(err, "google_service_account_keys");
		}
	}
	*out = g;
	return 0;
}

static void forget_token(struct domain *d)
{
	if (d->token)
		mem_wipe(d->token, strlen(d->token));
	free(d->token);
	d->token = NULL;
}

void oauth_google_close(struct oauth_google **g)
{
	if (!*g)
		return;
	for (size_t i = 0; i < (*g)->n; i++) {
		forget_token(&(*g)->domains[i]);
		google_account_close(&(*g)->domains[i].account);
	}
	free((*g)->domains);
	free(*g);
	*g = NULL;
}

/* ---- whose directory ----------------------------------------------------- */

/* By the claim, never by what stands after the @ (CVE-2024-29033). */
static struct domain *domain_of(const struct oauth_attempt *at)
{
	struct oauth_google *g = at->owner->google;
	const char *hd = json_string_value(json_object_get(at->claims, "hd"));

	for (size_t i = 0; hd && i < g->n; i++) {
		if (!strcasecmp(g->domains[i].name, hd))
			return &g->domains[i];
	}
	return NULL;
}

/* NULL: nobody vouches for it. */
static const char *address_of(const struct oauth_attempt *at)
{
	if (!json_is_true(json_object_get(at->claims, "email_verified")))
		return NULL;
	return json_string_value(json_object_get(at->claims, "email"));
}

static void next(struct oauth_attempt *at)
{
	at->page = 1;
	at->next_url = NULL;
	at->call++;
	oauth_next_call(at);
}

/*
 * -1: the attempt was ended. It is not the person's token that is refused here,
 * so that nobody is logged out for it (oauth_answer).
 */
static int read_answer(struct oauth_attempt *at, const struct fetch_result *res,
    const char *what, json_t **out)
{
	struct err err = res->err;

	at->fetch = 0;
	*out = NULL;
	if (res->status == 0)
		(void)err_wrap(&err, "%s", what);
	else if (res->status != 200)
		(void)err_set(
		    &err, ERR_PROTOCOL, "%s: it answers %d", what, res->status);
	else if (json_parse(res->body.p, res->body.len, out, &err) == 0)
		return 0;
	else
		(void)err_wrap(&err, "%s", what);
	oauth_unavailable(at, err.text);
	return -1;
}

/* ---- the list ------------------------------------------------------------ */

static void ask_list(struct oauth_attempt *at, const struct domain *d);

static int add_groups(
    struct oauth_attempt *at, const json_t *answer, struct err *err)
{
	const json_t *list = json_object_get(answer, "groups");

	if (!json_is_object(answer) || (list && !json_is_array(list)))
		return err_set(
		    err, ERR_PROTOCOL, WHAT_LIST ": it answers no list");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *email = json_string_value(
		    json_object_get(json_array_get(list, i), "email"));

		if (!email)
			return err_set(err, ERR_PROTOCOL,
			    WHAT_LIST ": an item has no \"email\"");
		if (oauth_add_group(at, email, err) != 0)
			return -1;
	}
	return 0;
}

/* The token of the next page, which stands in `next_url` here. */
static int take_next(
    struct oauth_attempt *at, const json_t *answer, struct err *err)
{
	const char *token =
	    json_string_value(json_object_get(answer, "nextPageToken"));

	at->next_url = NULL;
	if (!token || !*token)
		return 0;
	if (++at->page > PAGES_MAX || strlen(token) > TOKEN_MAX)
		return err_set(err, ERR_PROTOCOL,
		    WHAT_LIST ": it answers more than %d pages", PAGES_MAX);
	at->next_url = arena_strdup(&at->arena, token);
	return 0;
}

static void on_list(const struct fetch_result *res, void *arg)
{
	struct oauth_attempt *at = arg;
	struct domain *d = domain_of(at);
	struct err err = { 0 };
	json_t *answer;
	int rc;

	/* The next login asks for a new one. */
	if (res->status == 401)
		forget_token(d);
	if (read_answer(at, res, WHAT_LIST, &answer) != 0)
		return;
	rc = add_groups(at, answer, &err);
	if (rc == 0)
		rc = take_next(at, answer, &err);
	json_decref(answer);
	if (rc != 0)
		oauth_unavailable(at, err.text);
	else if (at->next_url)
		ask_list(at, d);
	else
		next(at);
}

static void ask_list(struct oauth_attempt *at, const struct domain *d)
{
	struct arena *a = &at->arena;
	const char *url = arena_printf(a, "%s%s%s", at->owner->opt.api_url,
	    at->call->path, url_quote(a, address_of(at), false));

	/* Another login may have found the token useless meanwhile. */
	if (!d->token) {
		oauth_unavailable(at, WHAT_TOKEN " is not taken any more");
		return;
	}
	if (at->next_url)
		url = arena_printf(a, "%s&pageToken=%s", url,
		    url_quote(a, at->next_url, false));
	oauth_get_with(at, d->token, url, on_list);
}

/* ---- the token ----------------------------------------------------------- */

static void keep_token(struct domain *d, const json_t *answer)
{
	const char *token =
	    json_string_value(json_object_get(answer, "access_token"));
	const json_t *lasts = json_object_get(answer, "expires_in");
	int64_t lasts_s =
	    json_is_integer(lasts) ? json_integer_value(lasts) : 0;

	forget_token(d);
	if (!token || !*token || strlen(token) > TOKEN_MAX ||
	    str_has_control(token, strlen(token)))
		return;
	d->token = xstrdup(token);
	if (lasts_s > LASTS_S)
		lasts_s = LASTS_S;
	d->until_s = clock_wall_s() + lasts_s - MARGIN_S;
}

static void on_token(const struct fetch_result *res, void *arg)
{
	struct oauth_attempt *at = arg;
	struct domain *d = domain_of(at);
	json_t *answer;

	if (read_answer(at, res, WHAT_TOKEN, &answer) != 0)
		return;
	keep_token(d, answer);
	json_decref(answer);
	if (d->token)
		ask_list(at, d);
	else
		oauth_unavailable(at, WHAT_TOKEN ": it gave none");
}

static void ask_token(struct oauth_attempt *at, const struct domain *d)
{
	struct err err = { 0 };
	const char *form = google_account_request(
	    d->account, &at->arena, clock_wall_s(), &err);
	struct fetch_req req = {
		.method = "POST",
		.url = google_account_token_url(d->account),
		.body = form,
		.body_len = form ? strlen(form) : 0,
	};

	if (form)
		oauth_ask(at, &req, NULL, on_token);
	else
		oauth_unavailable(at, err.text);
}

void oauth_google_groups(struct oauth_attempt *at)
{
	const struct domain *d = domain_of(at);

	if (!d || !address_of(at))
		next(at);
	else if (d->token && clock_wall_s() < d->until_s)
		ask_list(at, d);
	else
		ask_token(at, d);
}
