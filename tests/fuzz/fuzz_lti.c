/*
 * Fuzz target for what a learning platform's page sends: forms of LTI 1.1 and
 * their base string (auth/oauth1), beginnings and claims of LTI 1.3
 * (auth/lti_launch). The properties: no bad access; the base string does not
 * depend on the order of the fields; nothing is signed by chance; whoever comes
 * in has a name, a subject and groups that are bounded text without control
 * bytes; an address is ours only if it begins with our origin.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/claims.h"
#include "auth/lti_launch.h"
#include "auth/oauth1.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HUB    "https://hub.example.org/hub/"
#define ORIGIN "https://hub.example.org"

static const char *deployments[] = { "1" };
static const struct lti_options by_id = { .name = "l",
	.issuer = "https://lms.example",
	.username_key = "sub",
	.deployment_ids = { .items = deployments, .n = 1 } };
static const struct lti_options by_field = { .name = "l",
	.issuer = "https://lms.example",
	.username_key = "custom_a",
	.deployment_ids = { .items = deployments, .n = 1 } };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void must_be_text(const char *text, size_t max)
{
	size_t len = text ? strlen(text) : 0;

	must(len > 0 && len <= max && !str_has_control(text, len));
}

static void check_launch(
    const struct lti_launch *l, int rc, const struct err *err)
{
	if (rc == 0) {
		must_be_text(l->name, CLAIMS_NAME_MAX);
		must_be_text(l->subject, 255);
		must(l->source && *l->source);
		for (size_t i = 0; i < l->groups.n; i++)
			must_be_text(l->groups.items[i], CLAIMS_GROUP_LEN_MAX);
	} else {
		must(err->code == ERR_DENIED && err->text[0]);
	}
	json_decref(l->state);
}

static size_t count(const char *text, char c)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == c;
	return n;
}

static void try_form(struct arena *a, const char *text)
{
	struct url_pairs form, turned;
	struct lti_launch launch;
	struct err err = { 0 };

	if (url_parse_pairs(a, slice_of(text), 64, &form, &err) != 0)
		return;
	const char *base = oauth1_base_string(a, "POST", HUB, &form);
	turned = (struct url_pairs){ .n = form.n };
	turned.items = arena_array(a, form.n + 1, sizeof *turned.items);
	for (size_t i = 0; i < form.n; i++)
		turned.items[i] = form.items[form.n - 1 - i];
	must(!strcmp(base, oauth1_base_string(a, "POST", HUB, &turned)));
	must(count(base, '&') == 2);
	const char *signature = url_pair_get(&form, "oauth_signature");
	must(!signature || !oauth1_is_signed(base, "s3cret", signature));
	memset(&launch, 0, sizeof launch);
	int rc = lti11_read(a, &by_field, &form, &launch, &err);
	check_launch(&launch, rc, &err);
	const char *target = url_pair_get(&form, "target_link_uri");
	if (lti_is_ours(a, HUB, target)) {
		must(!strncasecmp(target, ORIGIN, strlen(ORIGIN)));
		char after = target[strlen(ORIGIN)];
		must(!after || strchr("/?#:", after));
	}
}

static void try_claims(struct arena *a, const char *text)
{
	json_t *claims = NULL;
	struct lti_launch launch;
	struct err err = { 0 };

	if (json_parse(text, strlen(text), &claims, &err) != 0)
		return;
	memset(&launch, 0, sizeof launch);
	int rc = lti13_read(a, &by_id, HUB, claims, &launch, &err);
	check_launch(&launch, rc, &err);
	rc = lti13_read(a, &by_field, HUB, claims, &launch, &err);
	check_launch(&launch, rc, &err);
	json_decref(claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	char *text;

	if (size > 1 << 15)
		return 0;
	arena_init(&a);
	text = arena_strndup(&a, (const char *)data, size);
	try_form(&a, text);
	try_claims(&a, text);
	arena_fini(&a);
	return 0;
}
