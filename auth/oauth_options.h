/*
 * The options of one provider in `auth.providers`, bound and checked. Private
 * to auth/. Everything that restricts is known here, or the start fails.
 */
#ifndef CARREL_AUTH_OAUTH_OPTIONS_H
#define CARREL_AUTH_OAUTH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/claims.h"
#include "auth/trip.h"
#include "base/arena.h"
#include "base/conf.h"
#include "base/err.h"

enum preset_flag {
	PRESET_OIDC = 1,
	PRESET_FOLD = 2,
	PRESET_VOUCHES = 4,
};

struct preset {
	const char *kind, *label;
	unsigned flags;
	const char *issuer, *authorize, *token, *userdata, *api;
	const char *scope, *username_claim, *groups_claim;
};

/* One identity provider behind CILogon: its names are its own. */
struct oauth_idp {
	const char *entity_id;
	const char *username_claim, *strip_domain, *username_prefix;
};

struct oauth_options {
	const struct preset *preset;
	const char *name, *kind, *label;
	const char *client_id, *client_secret, *client_secret_file;
	const char *issuer, *authorize_url, *token_url, *userdata_url, *api_url;
	const char *oauth_callback_url, *ca_file, *token_auth;
	const char *username_claim, *username_prefix, *strip_domain;
	const char *groups_claim, *group_prefix, *custom_403_message;
	const char *tenant_id;
	struct conf_strings scope, allowed_scopes, id_token_algs;
	struct conf_pairs extra_authorize_params;
	bool enable_pkce, allow_unverified_email, userdata_from_id_token;
	bool fetch_groups, logout;
	int64_t leeway_s;
	/* restrictions, by name; see presets.def */
	struct conf_strings required_groups, allowed_organizations;
	struct conf_strings allowed_gitlab_groups, allowed_project_ids;
	struct conf_strings allowed_teams, allowed_globus_groups;
	struct conf_strings allowed_google_groups;
	struct conf_strings hosted_domain, identity_provider;
	struct conf_strings tenant_ids, idp_names; /* made here */
	/* by domain: a file, a person */
	struct conf_pairs google_service_account_keys, gsuite_administrator;
	struct conf_node *allowed_idps_tree;
	struct oauth_idp *idps;
	size_t n_idps;
};

/* Strings live in `a`; `file` is for messages. */
int oauth_options_read(struct arena *a, const struct conf_node *tree,
    const char *file, struct oauth_options *out, struct err *err) MUST_CHECK;
const char *preset_kinds(void);

struct oauth_claim_rule {
	const char *kind, *option, *claim;
	size_t offset; /* of its values in the options */
};
struct oauth_member_rule {
	const char *kind, *option, *prefix;
	size_t offset;
};
enum oauth_when {
	CALL_LIST,
	CALL_PROBE,
	CALL_SCOPED,
	CALL_OVERAGE,
	CALL_DIRECTORY,
};

struct oauth_call {
	const char *kind, *path;
	enum oauth_when when;       /* SCOPED, OVERAGE: PAGES */
	const char *option;         /* not of LIST */
	const char *first, *second; /* PROBE: the member with the id */
	const char *prefix;         /* PROBE */
	const char *scope;          /* NULL: none of its own */
	const char *items, *next, *where, *value, *resource; /* PAGES */
	size_t offset;
	int64_t level;
};

/* The rows, NULL-ended (kind; for members: option). */
extern const struct oauth_claim_rule oauth_claim_rules[];
extern const struct oauth_member_rule oauth_member_rules[];
extern const struct oauth_call oauth_calls[];
const struct conf_strings *oauth_values(
    const struct oauth_options *opt, size_t offset);
bool oauth_asks_scope(const struct oauth_options *opt, const char *scope);

#endif
