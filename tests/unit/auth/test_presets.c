/*
 * auth/presets.def and auth/oauth_member.c: the named providers, answering in
 * their documented shapes, and what each can restrict. What others got wrong
 * bears the name of its advisory.
 */
#include "provider_fixture.c"

/* ---- GitHub -------------------------------------------------------------- */

#define GH_API  "https://api.github.com"
#define GH_ORGS GH_API "/user/orgs?per_page=100&page="
#define GH_TEAM GH_API "/user/teams?per_page=100&page="

static void put_github(void)
{
	web_put("https://github.com/login/oauth/access_token", 200,
	    json_pack("{s:s, s:s, s:s}", "access_token", "at-1", "token_type",
		"bearer", "scope", "read:org,read:user"));
	web_put(GH_API "/user", 200,
	    json_pack(
		"{s:s, s:i, s:n}", "login", "Octo-Cat", "id", 583231, "email"));
	web_put(GH_ORGS "1", 200,
	    json_pack("[{s:s, s:i}]", "login", "Acme", "id", 1));
	web_put(GH_TEAM "1", 200,
	    json_pack("[{s:s, s:s, s:{s:s}}]", "name", "The Devs", "slug",
		"devs", "organization", "login", "Acme"));
}

static void github(const char *more)
{
	if (au)
		au->kind->close(&au);
	open_with("github", more);
	told.n_done = 0;
	come_back("code=c0de");
}

static void test_github_organisations_and_teams(void **state)
{
	(void)state;
	put_github();
	github("");
	let_in("Octo-Cat", "campus:acme,campus:acme:devs");
	assert_string_equal(told.source, GH_API "/user");
	assert_string_equal(told.subject, "583231");
	github("allowed_organizations: [acme]\n");
	let_in("Octo-Cat", "campus:acme,campus:acme:devs");
	github("allowed_organizations: ['ACME:devs']\n");
	let_in("Octo-Cat", "campus:acme,campus:acme:devs");
	github("allowed_organizations: ['acme:ops', 'acm', 'evil']\n");
	kept_out(AUTH_RES_DENIED, "no member");
	assert_string_equal(web_authorization(GH_ORGS "1"), "Bearer at-1");
}

static void test_github_sends_nonce_to_nobody(void **state)
{
	(void)state;
	open_with("github", "");
	go_out();
	assert_true(
	    str_starts(told.url, "https://github.com/login/oauth/authorize?"));
	assert_non_null(strstr(told.url, "scope=read%3Auser+read%3Aorg"));
	assert_non_null(strstr(told.url, "code_challenge="));
	assert_null(strstr(told.url, "nonce"));
}

static void test_github_lists_are_read_page_by_page(void **state)
{
	json_t *many = json_array();

	(void)state;
	put_github();
	for (int i = 0; i < 100; i++)
		json_array_append_new(many,
		    json_pack("{s:o}", "login", json_sprintf("org%d", i)));
	web_put(GH_ORGS "1", 200, many);
	web_put(GH_ORGS "2", 200, json_pack("[{s:s}]", "login", "last"));
	github("allowed_organizations: [last]\n");
	assert_int_equal(told.res, AUTH_RES_OK);
}

/* Closed when GitHub does not say. */
static void test_github_that_does_not_answer_is_no_login(void **state)
{
	(void)state;
	put_github();
	web_put(GH_TEAM "1", 502, NULL);
	github("allowed_organizations: [acme]\n");
	kept_out(AUTH_RES_UNAVAILABLE, "/user/teams");
	web_put(GH_TEAM "1", 200, json_pack("{s:s}", "message", "x"));
	github("allowed_organizations: [acme]\n");
	kept_out(AUTH_RES_UNAVAILABLE, "no list");
	web_put(GH_TEAM "1", 200, json_pack("[{s:s}]", "slug", "devs"));
	github("allowed_organizations: [acme]\n");
	kept_out(AUTH_RES_UNAVAILABLE, "organization.login");
}

static void test_github_says_errors_with_200(void **state)
{
	(void)state;
	put_github();
	web_put("https://github.com/login/oauth/access_token", 200,
	    json_pack("{s:s}", "error", "bad_verification_code"));
	github("");
	kept_out(AUTH_RES_DENIED, "bad_verification_code");
}

/* ---- GitLab -------------------------------------------------------------- */

static void put_gitlab_level(const char *id, int level)
{
	web_put(ISSUER "/api/v4/projects/42/members/all/u1", 200,
	    json_pack("{s:s, s:i}", "id", id, "access_level", level));
}

static void gitlab(const char *more)
{
	if (au)
		au->kind->close(&au);
	open_with("gitlab", arena_printf(&arena, OIDC_LINES "%s", more));
	told.n_done = 0;
	come_back("code=c0de");
}

/* Not what the user can see counts, but of what they are a member. */
static void test_cve_2018_7206_gitlab_membership_is_the_users_own(void **state)
{
	(void)state;
	put_issuer();
	gitlab("allowed_gitlab_groups: [Staff]\n");
	let_in("alice", "campus:staff");
	gitlab("allowed_gitlab_groups: [public-group]\n");
	kept_out(AUTH_RES_DENIED, "no member");
	/* A project that can be seen: its member list has somebody else. */
	put_gitlab_level("other", 50);
	gitlab("allowed_project_ids: ['42']\n");
	kept_out(AUTH_RES_DENIED, "no member");
}

static void test_gitlab_projects_want_developers(void **state)
{
	(void)state;
	put_issuer();
	put_gitlab_level("u1", 30);
	gitlab("allowed_project_ids: ['7', '42']\n");
	let_in("alice", "campus:staff,campus:project:42");
	put_gitlab_level("u1", 20);
	gitlab("allowed_project_ids: ['42']\n");
	kept_out(AUTH_RES_DENIED, "no member");
	web_put(ISSUER "/api/v4/projects/42/members/all/u1", 500, NULL);
	gitlab("allowed_project_ids: ['42']\n");
	kept_out(AUTH_RES_UNAVAILABLE, "answers 500");
	go_out();
	assert_non_null(strstr(told.url, "read_api"));
}

static void test_gitlab_group_or_project_is_enough(void **state)
{
	(void)state;
	put_issuer();
	gitlab("allowed_project_ids: ['42']\n"
	       "allowed_gitlab_groups: [staff]\n");
	let_in("alice", "campus:staff");
	gitlab("allowed_gitlab_groups: [staff]\nrequired_groups: [x]\n");
	kept_out(AUTH_RES_DENIED, "no member");
}

/* ---- Bitbucket ----------------------------------------------------------- */

#define BB_API "https://api.bitbucket.org/2.0"
#define BB_AT(workspace)                                                       \
	BB_API "/workspaces/" workspace "/members/%7B0f3c-11%7D"

static json_t *bitbucket_member(const char *uuid, const char *workspace)
{
	return json_pack("{s:s, s:{s:s, s:s}, s:{s:s}}", "type",
	    "workspace_membership", "user", "uuid", uuid, "nickname", "alice",
	    "workspace", "slug", workspace);
}

static void bitbucket(const char *more)
{
	if (au)
		au->kind->close(&au);
	open_with("bitbucket", more);
	told.n_done = 0;
	come_back("code=c0de");
}

static void put_bitbucket(void)
{
	web_put("https://bitbucket.org/site/oauth2/access_token", 200,
	    json_pack("{s:s, s:s, s:s}", "access_token", "at-1", "token_type",
		"bearer", "scopes", "account"));
	web_put(BB_API "/user", 200,
	    json_pack("{s:s, s:s, s:s, s:s}", "type", "user", "uuid",
		"{0f3c-11}", "username", "alice", "nickname", "anybody"));
	web_put(BB_AT("acme"), 200, bitbucket_member("{0f3c-11}", "acme"));
	web_put(BB_AT("initech"), 403, NULL);
	web_put(BB_AT("open"), 200, bitbucket_member("{other}", "open"));
}

/* By the lasting id of the person, not by a name that they chose. */
static void test_bitbucket_workspaces_are_asked_for_the_member(void **state)
{
	(void)state;
	put_bitbucket();
	bitbucket("");
	let_in("alice", "");
	assert_string_equal(told.subject, "{0f3c-11}");
	bitbucket("allowed_teams: [nowhere, initech, Acme]\n");
	kept_out(AUTH_RES_DENIED, "no member");
	bitbucket("allowed_teams: [nowhere, initech, acme]\n");
	let_in("alice", "campus:acme");
	bitbucket("allowed_teams: [open]\n");
	kept_out(AUTH_RES_DENIED, "no member");
	web_put(BB_AT("acme"), 500, NULL);
	bitbucket("allowed_teams: [acme]\n");
	kept_out(AUTH_RES_UNAVAILABLE, "answers 500");
}

/* ---- Google -------------------------------------------------------------- */

static void google(const char *hd, const char *email, const char *more)
{
	json_t *claims = id_claims();

	if (au)
		au->kind->close(&au);
	if (hd)
		json_object_set_new(claims, "hd", json_string(hd));
	json_object_set_new(claims, "email", json_string(email));
	json_object_set_new(claims, "email_verified", json_true());
	put_id_token(claims);
	open_with("google", arena_printf(&arena, OIDC_LINES "%s", more));
	told.n_done = 0;
	come_back("code=c0de");
}

static void test_cve_2024_29033_google_domain_is_the_hd_claim(void **state)
{
	static const char more[] = "hosted_domain: [uni.edu]\n";

	(void)state;
	put_issuer();
	web_put(ISSUER "/me", 200, json_pack("{s:s}", "sub", "u1"));
	google("uni.edu", "alice@uni.edu", more);
	let_in("alice@uni.edu", "");
	/* A private account with an address of the university. */
	google(NULL, "mallory@uni.edu", more);
	kept_out(AUTH_RES_DENIED, "hosted_domain");
	google("evil.example", "mallory@uni.edu", more);
	kept_out(AUTH_RES_DENIED, "hosted_domain");
	google("uni.edu.evil.example", "mallory@uni.edu", more);
	kept_out(AUTH_RES_DENIED, "hosted_domain");
	go_out();
	assert_non_null(strstr(told.url, "hd=uni.edu"));
}

static void test_google_hd_of_userinfo_does_not_replace_the_signed_one(
    void **state)
{
	(void)state;
	put_issuer();
	web_put(ISSUER "/me", 200,
	    json_pack("{s:s, s:s}", "sub", "u1", "hd", "uni.edu"));
	google("evil.example", "mallory@uni.edu", "hosted_domain: [uni.edu]\n");
	kept_out(AUTH_RES_DENIED, "hosted_domain");
}

/* ---- Entra --------------------------------------------------------------- */

#define TENANT "72f988bf-86f1-41af-91ab-2d7cd011db47"
#define MS     "https://login.microsoftonline.com/" TENANT "/v2.0"

static void entra(const char *tid, const char *name)
{
	json_t *claims = id_claims();

	if (au)
		au->kind->close(&au);
	json_object_set_new(claims, "iss", json_string(MS));
	json_object_set_new(claims, "tid", json_string(tid));
	json_object_set_new(claims, "preferred_username", json_string(name));
	json_object_set_new(claims, "email", json_string(name));
	json_object_set_new(claims, "groups",
	    json_pack("[s]", "8D2C1E2A-0000-4000-8000-000000000001"));
	put_id_token(claims);
	open_with("entra", "tenant_id: " TENANT "\n"
			   "userdata_from_id_token: true\n");
	told.n_done = 0;
	come_back("code=c0de");
}

static void test_entra_is_of_one_tenant(void **state)
{
	json_t *meta = meta_page();

	(void)state;
	put_issuer();
	json_object_set_new(meta, "issuer", json_string(MS));
	web_put(MS "/.well-known/openid-configuration", 200, meta);
	entra(TENANT, "alice@uni.edu");
	let_in("alice@uni.edu", "campus:8d2c1e2a-0000-4000-8000-000000000001");
	entra("00000000-86f1-41af-91ab-2d7cd011db47", "alice@uni.edu");
	kept_out(AUTH_RES_DENIED, "tenant_ids");
}

/* ---- Entra: more groups than fit into a token ---------------------------- */

#define GRAPH    "https://graph.microsoft.com/v1.0"
#define GRAPH_AT GRAPH "/me/transitiveMemberOf?$select=id&$top=999"

/* _claim_names instead of groups, as Entra sends it. */
static void entra_overage(const char *more)
{
	json_t *claims = id_claims(), *meta = meta_page();

	if (au)
		au->kind->close(&au);
	json_object_set_new(meta, "issuer", json_string(MS));
	web_put(MS "/.well-known/openid-configuration", 200, meta);
	json_object_set_new(claims, "iss", json_string(MS));
	json_object_set_new(claims, "tid", json_string(TENANT));
	json_object_set_new(claims, "preferred_username", json_string("alice"));
	json_object_set_new(
	    claims, "_claim_names", json_pack("{s:s}", "groups", "src1"));
	json_object_set_new(claims, "_claim_sources",
	    json_pack("{s:{s:s}}", "src1", "endpoint",
		"https://evil.example/getMemberObjects"));
	put_id_token(claims);
	open_with("entra",
	    arena_printf(&arena,
		"tenant_id: " TENANT "\nuserdata_from_id_token: true\n%s",
		more));
	told.n_done = 0;
	come_back("code=c0de");
}

static json_t *graph_page(const char *id, const char *next)
{
	return json_pack("{s:[{s:s, s:s}, {s:s, s:s}], s:s*}", "value",
	    "@odata.type", "#microsoft.graph.directoryRole", "id", "role-1",
	    "@odata.type", "#microsoft.graph.group", "id", id,
	    "@odata.nextLink", next);
}

static void test_entra_groups_beyond_the_token_are_asked_from_graph(
    void **state)
{
	(void)state;
	put_issuer();
	web_put(GRAPH_AT, 200, graph_page("g-1", GRAPH "/me/x?$skiptoken=2"));
	web_put(GRAPH "/me/x?$skiptoken=2", 200, graph_page("G-2", NULL));
	entra_overage("required_groups: [g-2]\n");
	let_in("alice", "campus:g-1,campus:g-2");
	assert_string_equal(web_authorization(GRAPH_AT), "Bearer at-1");
	/* Where the token says that they stand is not where we ask. */
	assert_int_equal(web_count("https://evil.example/getMemberObjects"), 0);
	entra_overage("required_groups: [role-1]\n");
	kept_out(AUTH_RES_DENIED, "no member");
	go_out();
	assert_non_null(strstr(told.url, "User.Read"));
}

/* Closed when Graph does not say; our token goes nowhere else. */
static void test_entra_without_graphs_word_is_no_login(void **state)
{
	(void)state;
	put_issuer();
	web_put(GRAPH_AT, 403, NULL);
	entra_overage("");
	kept_out(AUTH_RES_UNAVAILABLE, "answers 403");
	web_put(GRAPH_AT, 200, json_pack("{s:s}", "value", "x"));
	entra_overage("");
	kept_out(AUTH_RES_UNAVAILABLE, "no list");
	web_put(GRAPH_AT, 200, graph_page("g-1", GRAPH ".evil.example/"));
	entra_overage("");
	kept_out(AUTH_RES_UNAVAILABLE, "of another server");
	web_put(GRAPH_AT, 200, graph_page("g-1", GRAPH_AT));
	entra_overage("");
	kept_out(AUTH_RES_UNAVAILABLE, "more than 10 pages");
}

static void refused_options(
    const char *kind, const char *lines, const char *says)
{
	struct err err = { 0 };
	struct authenticator *a =
	    open_provider(arena_printf(&arena,
			      "name: campus\nkind: %s\nclient_id: hub\n"
			      "client_secret: s3cret\n%s",
			      kind, lines),
		&err);

	if (a)
		fail_msg("%s was taken: %s", kind, lines);
	assert_int_equal(err.code, ERR_INVALID);
	test_err_says(&err, says);
	assert_null(strstr(err.text, "s3cret"));
}

static void test_entra_needs_a_tenant_of_its_own(void **state)
{
	(void)state;
	refused_options("entra", "", "tenant_id");
	refused_options("entra", "tenant_id: common\n", "tenant_id");
	refused_options("entra", "tenant_id: organizations\n", "tenant_id");
}

/* ---- CILogon ------------------------------------------------------------- */

static void cilogon(const char *idp, const char *eppn, const char *email)
{
	if (au)
		au->kind->close(&au);
	web_put(ISSUER "/me", 200,
	    json_pack("{s:s, s:s, s:s*, s:s, s:b}", "sub", "u1", "idp", idp,
		"eppn", eppn, "email", email, "email_verified", 1));
	open_with("cilogon",
	    OIDC_LINES "allowed_idps:\n"
		       "  https://idp.uni.edu/shibboleth:\n"
		       "    strip_domain: uni.edu\n"
		       "  https://github.com/login/oauth/authorize:\n"
		       "    username_claim: sub\n"
		       "    username_prefix: 'gh:'\n");
	told.n_done = 0;
	come_back("code=c0de");
}

/* A GitHub account whose address is of the campus is not of the campus. */
static void test_cve_2022_31027_cilogon_is_keyed_on_the_entity_id(void **state)
{
	(void)state;
	put_issuer();
	cilogon(
	    "https://idp.uni.edu/shibboleth", "alice@uni.edu", "alice@uni.edu");
	let_in("alice", "");
	cilogon(
	    "https://github.com/login/oauth/authorize", NULL, "alice@uni.edu");
	let_in("gh:u1", "");
	cilogon(
	    "https://idp.evil.example/idp", "alice@uni.edu", "alice@uni.edu");
	kept_out(AUTH_RES_DENIED, "idp_names");
	/* One of the listed ones that speaks for another's people. */
	cilogon("https://idp.uni.edu/shibboleth", "alice@other.edu",
	    "alice@uni.edu");
	kept_out(AUTH_RES_DENIED, "domain uni.edu");
}

static void test_cilogon_needs_its_identity_providers(void **state)
{
	(void)state;
	refused_options("cilogon", "", "allowed_idps");
	refused_options("cilogon", "allowed_idps: []\n", "allowed_idps");
	refused_options("cilogon",
	    "allowed_idps:\n"
	    "  https://a.example/idp: {strip_domain: a.example}\n"
	    "  https://b.example/idp: {strip_domain: b.example}\n",
	    "could have one name");
	refused_options("cilogon",
	    "allowed_idps:\n  https://a.example/idp: {allow: all}\n", "allow");
}

/* ---- Globus -------------------------------------------------------------- */

static void globus(const char *idp)
{
	if (au)
		au->kind->close(&au);
	web_put(ISSUER "/me", 200,
	    json_pack("{s:s, s:s, s:s}", "sub", "u1", "preferred_username",
		"alice@uni.edu", "identity_provider", idp));
	open_with("globus", OIDC_LINES
	    "identity_provider: [41143743-f3c8-4d60-bbdb-eeecaba85bd9]\n");
	told.n_done = 0;
	come_back("code=c0de");
}

/* A restriction refuses here, before any rule can let the person in. */
static void test_cve_2024_37300_globus_provider_is_a_restriction(void **state)
{
	(void)state;
	put_issuer();
	globus("41143743-f3c8-4d60-bbdb-eeecaba85bd9");
	let_in("alice@uni.edu", "");
	globus("00000000-f3c8-4d60-bbdb-eeecaba85bd9");
	kept_out(AUTH_RES_DENIED, "identity_provider");
	assert_string_equal(told.name, "");
}

#define GLOBUS_API   "https://groups.api.globus.org/v2/groups/my_groups"
#define GLOBUS_SCOPE "view_my_groups_and_memberships"

static json_t *globus_group(const char *id, const char *status)
{
	return json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "id", id, "name",
	    "The lab", "my_memberships", "status", status, "role", "member");
}

static void globus_in_groups(const char *others, const char *more)
{
	json_t *answer = json_object();
	char *id_token = token_of(rsa_one, "RS256", "k1", id_claims());

	if (au)
		au->kind->close(&au);
	json_object_set_new(answer, "access_token", json_string("at-1"));
	json_object_set_new(answer, "id_token", json_string(id_token));
	json_object_set_new(answer, "other_tokens",
	    json_pack("[{s:s, s:s}]", "resource_server", others, "access_token",
		"at-groups"));
	free(id_token);
	web_put(ISSUER "/token", 200, answer);
	open_with("globus", arena_printf(&arena, OIDC_LINES "%s", more));
	told.n_done = 0;
	come_back("code=c0de");
}

/* Invited is not a member; the groups have a token of their own. */
static void test_globus_groups_are_active_memberships(void **state)
{
	static const char wanted[] = "allowed_globus_groups: [g-1]\n";

	(void)state;
	put_issuer();
	web_put(GLOBUS_API, 200,
	    json_pack("[o, o]", globus_group("g-1", "active"),
		globus_group("g-2", "invited")));
	globus_in_groups("groups.api.globus.org", wanted);
	let_in("alice", "campus:g-1");
	assert_string_equal(web_authorization(GLOBUS_API), "Bearer at-groups");
	globus_in_groups(
	    "groups.api.globus.org", "allowed_globus_groups: [g-2]\n");
	kept_out(AUTH_RES_DENIED, "no member");
	globus_in_groups("transfer.api.globus.org", wanted);
	kept_out(AUTH_RES_UNAVAILABLE, "no token for groups.api.globus.org");
	go_out();
	assert_non_null(strstr(told.url, GLOBUS_SCOPE));
}

static void test_globus_groups_are_not_asked_for_unless_wanted(void **state)
{
	(void)state;
	put_issuer();
	globus_in_groups("groups.api.globus.org", "");
	let_in("alice", "");
	assert_int_equal(web_count(GLOBUS_API), 0);
	go_out();
	assert_null(strstr(told.url, GLOBUS_SCOPE));
	refused_options("globus",
	    OIDC_LINES "allowed_globus_groups: [g-1]\nscope: [openid]\n",
	    GLOBUS_SCOPE);
}

/* ---- plain OAuth 2.0 ----------------------------------------------------- */

static void test_plain_oauth2_takes_userdata(void **state)
{
	(void)state;
	web_put(
	    ISSUER "/token", 200, json_pack("{s:s}", "access_token", "at-1"));
	web_put(ISSUER "/user", 200,
	    json_pack("{s:i, s:{s:s}}", "id", 12, "user", "nick", "bob"));
	open_with("oauth2",
	    "authorize_url: " ISSUER "/auth?x=1\n"
	    "token_url: " ISSUER "/token\nuserdata_url: " ISSUER "/user\n"
	    "username_claim: user.nick\ntoken_auth: post\n"
	    "custom_403_message: Ask the office.\n");
	go_out();
	assert_true(str_starts(told.url, ISSUER "/auth?x=1&response_type="));
	come_back("code=c0de");
	let_in("bob", "");
	assert_string_equal(web_authorization(ISSUER "/token"), "");
	web_put(ISSUER "/user", 200, json_pack("{s:i}", "id", 12));
	told.n_done = 0;
	come_back("code=c0de");
	kept_out(AUTH_RES_DENIED, "user.nick");
	assert_string_equal(told.text, "Ask the office.");
}

/* ---- options ------------------------------------------------------------- */

static void test_cve_2020_26250_an_obsolete_restriction_is_fatal(void **state)
{
	static const char *const names[] = { "whitelist", "allowed_users",
		"github_organization_whitelist", "gitlab_group_whitelist",
		"gitlab_project_id_whitelist", "google_group_whitelist",
		"idp_whitelist", "team_whitelist", "include_nested_groups",
		"admin_google_groups", "admin_globus_groups", "group_whitelist",
		"admin_whitelist", "allow_all", "allow_existing_users",
		"blocked_users", "validate_server_cert" };

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		refused_options("oidc",
		    arena_printf(&arena, OIDC_LINES "%s: [x]\n", names[i]),
		    "restricted would be open: write");
		refused_options("github",
		    arena_printf(&arena, "%s: [x]\n", names[i]),
		    "carrel.yaml:5:1");
	}
}

static void test_a_restriction_of_another_kind_is_fatal(void **state)
{
	static const char *const lines[] = { "hosted_domain: [uni.edu]\n",
		"allowed_organizations: [acme]\n", "tenant_id: x\n",
		"allowed_gitlab_groups: [x]\n", "allowed_project_ids: ['1']\n",
		"identity_provider: [x]\n", "allowed_idps: {x: {}}\n",
		"allowed_teams: [x]\n", "allowed_globus_groups: [x]\n",
		"allowed_google_groups: [x]\n",
		"google_service_account_keys: {x: y}\n" };

	(void)state;
	for (size_t i = 0; i < N_OF(lines); i++)
		refused_options("oidc",
		    arena_printf(&arena, OIDC_LINES "%s", lines[i]),
		    "would restrict nothing here");
}

static void test_options_that_are_wrong_are_fatal_and_named(void **state)
{
	static const struct {
		const char *kind, *lines, *says;
	} bad[] = {
		{ "oidc", "", "issuer" },
		{ "oidc", "issuer: http://id.example.org\n", "https://" },
		{ "oidc", "issuer: http://127.evil.example\n", "https://" },
		{ "oidc", "issuer: ftp://id.example.org\n", "issuer" },
		{ "oidc", OIDC_LINES "token_url: https://x.example/t\n",
		    "token_url" },
		{ "oidc", OIDC_LINES "scope: [profile]\n", "openid" },
		{ "oidc", OIDC_LINES "id_token_algs: [HS256]\n", "HS256" },
		{ "oidc", OIDC_LINES "id_token_algs: [none]\n", "none" },
		{ "oidc", OIDC_LINES "leeway: 1h\n", "leeway" },
		{ "oidc", OIDC_LINES "required_group: [x]\n",
		    "required_groups" },
		{ "oidc", OIDC_LINES "required_groups: []\n", "empty list" },
		{ "oidc", OIDC_LINES "extra_authorize_params: {state: x}\n",
		    "state" },
		{ "oidc", OIDC_LINES "client_secret_file: /x\n", "exclude" },
		{ "oauth2", "issuer: https://id.example.org\n",
		    "authorize_url" },
		{ "github", "token_url: https://gh.example/t\n", "all four" },
		{ "github", "fetch_groups: false\nallowed_organizations: [x]\n",
		    "fetch_groups" },
		{ "github", "allowed_organizations: []\n", "empty list" },
		{ "gitlab", "allowed_project_ids: [acme/x]\n", "no number" },
		{ "globus", "identity_provider: [uni.edu]\n", "not a domain" },
		{ "nosuch", "", "one of oidc, oauth2, github" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++)
		refused_options(bad[i].kind, bad[i].lines, bad[i].says);
}

static void test_a_provider_needs_name_and_secrets(void **state)
{
	static const struct {
		const char *yaml, *says;
	} bad[] = {
		{ "kind: github\n", "name" },
		{ "name: 'a/b'\nkind: github\n", "name" },
		{ "name: gh\nkind: github\n", "client_id" },
		{ "name: gh\nkind: github\nclient_id: x\n", "client_secret" },
		{ "name: gh\nkind: github\nclient_id: x\n"
		  "client_secret_file: /nonexistent\n",
		    "client_secret_file" },
		{ "[x]", "map" },
	};
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		assert_null(open_provider(bad[i].yaml, &err));
		test_err_says(&err, bad[i].says);
	}
}

static void test_the_secret_can_stand_in_a_file(void **state)
{
	struct test_dir dir;
	FILE *f;

	(void)state;
	test_dir_make(&dir);
	f = fopen(test_path(&dir, "secret"), "w");
	fputs("s3cret\n", f);
	fclose(f);
	put_issuer();
	struct err err = { 0 };
	au = open_provider(
	    arena_printf(&arena,
		"name: campus\nkind: oidc\nclient_id: hub\n" OIDC_LINES
		"client_secret_file: %s\n",
		test_path(&dir, "secret")),
	    &err);
	if (!au)
		fail_msg("%s", err.text);
	come_back("code=c0de");
	let_in("alice", "campus:staff");
	assert_string_equal(
	    web_authorization(ISSUER "/token"), "Basic aHViOnMzY3JldA==");
	test_dir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROVIDER_TEST(test_github_organisations_and_teams),
		PROVIDER_TEST(test_github_sends_nonce_to_nobody),
		PROVIDER_TEST(test_github_lists_are_read_page_by_page),
		PROVIDER_TEST(test_github_that_does_not_answer_is_no_login),
		PROVIDER_TEST(test_github_says_errors_with_200),
		PROVIDER_TEST(
		    test_cve_2018_7206_gitlab_membership_is_the_users_own),
		PROVIDER_TEST(test_gitlab_projects_want_developers),
		PROVIDER_TEST(test_gitlab_group_or_project_is_enough),
		PROVIDER_TEST(
		    test_cve_2024_29033_google_domain_is_the_hd_claim),
		PROVIDER_TEST(
		    test_google_hd_of_userinfo_does_not_replace_the_signed_one),
		PROVIDER_TEST(test_entra_is_of_one_tenant),
		PROVIDER_TEST(test_entra_needs_a_tenant_of_its_own),
		PROVIDER_TEST(
		    test_entra_groups_beyond_the_token_are_asked_from_graph),
		PROVIDER_TEST(test_entra_without_graphs_word_is_no_login),
		PROVIDER_TEST(
		    test_bitbucket_workspaces_are_asked_for_the_member),
		PROVIDER_TEST(test_globus_groups_are_active_memberships),
		PROVIDER_TEST(
		    test_globus_groups_are_not_asked_for_unless_wanted),
		PROVIDER_TEST(
		    test_cve_2022_31027_cilogon_is_keyed_on_the_entity_id),
		PROVIDER_TEST(test_cilogon_needs_its_identity_providers),
		PROVIDER_TEST(
		    test_cve_2024_37300_globus_provider_is_a_restriction),
		PROVIDER_TEST(test_plain_oauth2_takes_userdata),
		PROVIDER_TEST(
		    test_cve_2020_26250_an_obsolete_restriction_is_fatal),
		PROVIDER_TEST(test_a_restriction_of_another_kind_is_fatal),
		PROVIDER_TEST(test_options_that_are_wrong_are_fatal_and_named),
		PROVIDER_TEST(test_a_provider_needs_name_and_secrets),
		PROVIDER_TEST(test_the_secret_can_stand_in_a_file),
	};
	int failed;

	make_keys();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free_keys();
	return failed;
}
