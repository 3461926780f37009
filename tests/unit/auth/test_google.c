/*
 * Groups of Google: auth/oauth_google.c and auth/google_account.c through a
 * login, with answers of the shapes that Google documents.
 */
#include "provider_fixture.c"

#include <openssl/pem.h>
#include <sys/stat.h>

#define API       "https://admin.googleapis.com/admin/directory/v1/groups"
#define ASK       API "?maxResults=200&userKey=alice%40uni.edu"
#define TOKEN_URL "https://oauth2.googleapis.com/token"
#define WANTED    "allowed_google_groups: [Staff@uni.edu]\n"

static struct test_dir dir;
static const char *key_file;

/* ---- the world ----------------------------------------------------------- */

static char *pem_of(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *out;
	long n;

	assert_int_equal(
	    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_get_mem_data(bio, &data);
	out = xcalloc(1, (size_t)n + 1);
	memcpy(out, data, (size_t)n);
	BIO_free(bio);
	return out;
}

/* As the console gives it out; taken. */
static void write_key(json_t *content, mode_t mode)
{
	char *text = json_text(content, NULL);
	FILE *f = fopen(key_file, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(key_file, mode), 0);
	free(text);
	json_decref(content);
}

static json_t *key_content(EVP_PKEY *key)
{
	char *pem = pem_of(key);
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type",
	    "service_account", "project_id", "hub", "private_key_id", "k-9",
	    "private_key", pem, "client_email",
	    "hub@hub.iam.gserviceaccount.com", "token_uri", TOKEN_URL);

	free(pem);
	return j;
}

static json_t *page_of(const char *one, const char *two, const char *next)
{
	return json_pack("{s:s, s:[{s:s, s:s}, {s:s, s:s}], s:s*}", "kind",
	    "admin#directory#groups", "groups", "id", "01", "email", one, "id",
	    "02", "email", two, "nextPageToken", next);
}

static void put_directory(void)
{
	web_put(TOKEN_URL, 200,
	    json_pack("{s:s, s:i, s:s}", "access_token", "at-groups",
		"expires_in", 3599, "token_type", "Bearer"));
	web_put(ASK, 200, page_of("staff@uni.edu", "choir@uni.edu", NULL));
}

static const char *options(const char *more)
{
	return arena_printf(&arena,
	    OIDC_LINES "google_service_account_keys: {uni.edu: %s}\n"
		       "gsuite_administrator: {uni.edu: admin}\n%s",
	    key_file, more);
}

static void claims_of(const char *hd, json_t *is_verified)
{
	json_t *claims = id_claims();

	if (hd)
		json_object_set_new(claims, "hd", json_string(hd));
	json_object_set_new(claims, "iat", json_integer(clock_wall_s()));
	json_object_set_new(claims, "exp", json_integer(clock_wall_s() + 300));
	json_object_set_new(claims, "email", json_string("alice@uni.edu"));
	json_object_set_new(claims, "email_verified", is_verified);
	put_id_token(claims);
}

static void go_on(int64_t seconds)
{
	clock_sim_advance_us(seconds * 1000000);
	claims_of("uni.edu", json_true());
}

static void again(void)
{
	told.n_done = 0;
	come_back("code=c0de");
}

static void log_in(const char *more)
{
	if (au)
		au->kind->close(&au);
	claims_of("uni.edu", json_true());
	open_with("google", options(more));
	again();
}

static int up(void **state)
{
	provider_up(state);
	test_dir_make(&dir);
	key_file = arena_strdup(&arena, test_path(&dir, "google.json"));
	write_key(key_content(rsa_two), 0600);
	put_issuer();
	web_put(ISSUER "/me", 200, json_pack("{s:s}", "sub", "u1"));
	put_directory();
	return 0;
}

static int down(void **state)
{
	assert_null(strstr(logged, "PRIVATE"));
	test_dir_remove(&dir);
	return provider_down(state);
}

/* ---- who is let in ------------------------------------------------------- */

static void test_members_come_in_with_their_groups(void **state)
{
	(void)state;
	log_in(WANTED);
	let_in("alice@uni.edu", "campus:staff@uni.edu,campus:choir@uni.edu");
	assert_string_equal(web_authorization(ASK), "Bearer at-groups");
	log_in("allowed_google_groups: [boss@uni.edu]\n");
	kept_out(AUTH_RES_DENIED, "no member");
	log_in("");
	let_in("alice@uni.edu", "campus:staff@uni.edu,campus:choir@uni.edu");
}

/* "groups" is missing where there are none. */
static void test_no_groups_is_an_answer(void **state)
{
	(void)state;
	web_put(ASK, 200, json_pack("{s:s}", "kind", "admin#directory#groups"));
	log_in("");
	let_in("alice@uni.edu", "");
	log_in(WANTED);
	kept_out(AUTH_RES_DENIED, "no member");
}

static void test_pages_are_followed_to_their_bound(void **state)
{
	(void)state;
	web_put(ASK, 200, page_of("a@uni.edu", "b@uni.edu", "t/2="));
	web_put(ASK "&pageToken=t%2F2%3D", 200,
	    page_of("c@uni.edu", "staff@uni.edu", NULL));
	log_in(WANTED);
	let_in("alice@uni.edu",
	    "campus:a@uni.edu,campus:b@uni.edu,campus:c@uni.edu,"
	    "campus:staff@uni.edu");
	web_put(ASK "&pageToken=t%2F2%3D", 200,
	    page_of("c@uni.edu", "staff@uni.edu", "t/2="));
	log_in(WANTED);
	for (int i = 0; i < 4; i++)
		settle();
	kept_out(AUTH_RES_UNAVAILABLE, "more than 10 pages");
}

/* Another organisation's people have nothing from this one's directory,
 * whatever address they have (CVE-2024-29033). */
static void test_the_domain_is_the_hd_claim(void **state)
{
	static const char *const others[] = { NULL, "evil.example",
		"uni.edu.evil.example", "" };

	(void)state;
	log_in(WANTED);
	for (size_t i = 0; i < N_OF(others); i++) {
		size_t before = web.n_asked;

		claims_of(others[i], json_true());
		again();
		kept_out(AUTH_RES_DENIED, "no member");
		assert_int_equal(web.n_asked, before + 2);
	}
	size_t before = web_count(ASK);
	claims_of("uni.edu", json_false());
	again();
	kept_out(AUTH_RES_DENIED, "no member");
	assert_int_equal(web_count(ASK), before);
	claims_of("UNI.edu", json_true());
	again();
	let_in("alice@uni.edu", "campus:staff@uni.edu,campus:choir@uni.edu");
}

/* ---- what is asked ------------------------------------------------------- */

/* A part of a JSON Web Token. */
static json_t *part_of(const char *p, size_t len)
{
	static unsigned char raw[4096];
	struct err err = { 0 };
	json_t *out = NULL;
	size_t n;

	assert_int_equal(
	    b64url_decode(slice_make(p, len), raw, sizeof raw, &n), 0);
	test_ok(json_parse((const char *)raw, n, &out, &err), &err);
	return out;
}

static void assert_member(const json_t *j, const char *name, const char *value)
{
	assert_string_equal(json_string_value(json_object_get(j, name)), value);
}

static void assert_signed(const char *text, size_t len, const char *sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char raw[1024];
	size_t n;

	assert_int_equal(b64url_decode(slice_of(sig), raw, sizeof raw, &n), 0);
	assert_int_equal(
	    EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, rsa_two), 1);
	assert_int_equal(
	    EVP_DigestVerify(ctx, raw, n, (const unsigned char *)text, len), 1);
	EVP_MD_CTX_free(ctx);
}

static void test_the_token_is_asked_as_rfc_7523_says(void **state)
{
	struct url_pairs form;
	struct err err = { 0 };
	const char *jwt, *dot, *last;
	json_t *head, *claims;

	(void)state;
	log_in(WANTED);
	test_ok(url_parse_pairs(
		    &arena, slice_of(web_sent(TOKEN_URL)), 4, &form, &err),
	    &err);
	assert_int_equal(form.n, 2);
	assert_string_equal(url_pair_get(&form, "grant_type"),
	    "urn:ietf:params:oauth:grant-type:jwt-bearer");
	jwt = url_pair_get(&form, "assertion");
	dot = strchr(jwt, '.');
	last = strrchr(jwt, '.');
	head = part_of(jwt, (size_t)(dot - jwt));
	claims = part_of(dot + 1, (size_t)(last - dot - 1));
	assert_member(head, "alg", "RS256");
	assert_member(head, "kid", "k-9");
	assert_member(claims, "iss", "hub@hub.iam.gserviceaccount.com");
	assert_member(claims, "sub", "admin@uni.edu");
	assert_member(claims, "aud", TOKEN_URL);
	assert_member(claims, "scope",
	    "https://www.googleapis.com/auth/admin.directory.group.readonly");
	assert_int_equal(
	    json_integer_value(json_object_get(claims, "iat")), NOW);
	assert_int_equal(
	    json_integer_value(json_object_get(claims, "exp")), NOW + 3600);
	assert_signed(jwt, (size_t)(last - jwt), last + 1);
	json_decref(head);
	json_decref(claims);
}

static void test_the_token_is_kept_until_it_ends(void **state)
{
	(void)state;
	log_in(WANTED);
	again();
	assert_int_equal(web_count(TOKEN_URL), 1);
	go_on(3530);
	again();
	assert_int_equal(web_count(TOKEN_URL), 1);
	go_on(20);
	again();
	assert_int_equal(web_count(TOKEN_URL), 2);
	/* One that is refused is not shown again. */
	web_put(ASK, 401, NULL);
	again();
	kept_out(AUTH_RES_UNAVAILABLE, "answers 401");
	put_directory();
	again();
	assert_int_equal(web_count(TOKEN_URL), 3);
	assert_int_equal(told.res, AUTH_RES_OK);
}

/* ---- closed when in doubt ------------------------------------------------ */

static void test_what_is_not_answered_lets_nobody_in(void **state)
{
	static const struct {
		const char *url, *body, *why;
		int status;
	} rows[] = {
		{ TOKEN_URL, NULL, "service account's token", 0 },
		{ TOKEN_URL, "{\"error\": \"unauthorized_client\"}",
		    "answers 401", 401 },
		{ TOKEN_URL, "{\"expires_in\": 3599}", "gave none", 200 },
		{ TOKEN_URL, "{\"access_token\": 7}", "gave none", 200 },
		{ ASK, NULL, "directory's groups", 0 },
		{ ASK, "{}", "answers 403", 403 },
		{ ASK, "{}", "answers 404", 404 },
		{ ASK, "[]", "no list", 200 },
		{ ASK, "{\"groups\": {}}", "no list", 200 },
		{ ASK, "{\"groups\": [{\"id\": \"01\"}]}", "no \"email\"",
		    200 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		put_directory();
		web_put(rows[i].url, rows[i].status,
		    rows[i].body ? json_loads(rows[i].body, 0, NULL) : NULL);
		log_in("");
		kept_out(AUTH_RES_UNAVAILABLE, rows[i].why);
	}
}

/* ---- options ------------------------------------------------------------- */

static void refused(const char *lines, const char *says)
{
	struct err err = { 0 };

	assert_null(
	    open_provider(arena_printf(&arena,
			      "name: campus\nkind: google\nclient_id: hub\n"
			      "client_secret: s3cret\n%s",
			      lines),
		&err));
	test_err_says(&err, says);
}

static void test_options_that_do_not_fit_are_fatal(void **state)
{
	(void)state;
	refused(WANTED, "google_service_account_keys");
	refused(options("allowed_google_groups: [staff]\n"), "group@domain");
	refused(options("allowed_google_groups: []\n"), "empty list");
	refused(options("allowed_google_groups: {uni.edu: [staff]}\n"),
	    "allowed_google_groups");
	refused(options("include_nested_groups: true\n"), "directly");
	refused(arena_printf(&arena,
		    "google_service_account_keys: {uni.edu: %s}\n"
		    "gsuite_administrator: {other.edu: admin}\n",
		    key_file),
	    "names nobody of uni.edu");
	refused("gsuite_administrator: {uni.edu: admin}\n",
	    "google_service_account_keys");
}

static void test_the_key_file_is_read_at_start(void **state)
{
	json_t *j;

	(void)state;
	write_key(key_content(rsa_two), 0640);
	refused(options(""), "0600");
	write_key(key_content(rsa_weak), 0600);
	refused(options(""), "2048");
	j = key_content(rsa_two);
	json_object_set_new(j, "type", json_string("authorized_user"));
	write_key(j, 0600);
	refused(options(""), "no key of a service account");
	j = key_content(rsa_two);
	json_object_set_new(j, "token_uri", json_string("http://x.example/"));
	write_key(j, 0600);
	refused(options(""), "https://");
	j = key_content(rsa_two);
	json_object_del(j, "private_key");
	write_key(j, 0600);
	refused(options(""), "private_key");
	assert_int_equal(unlink(key_file), 0);
	refused(options(""), key_file);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, up, down)

static int keys_up(void **state)
{
	(void)state;
	make_keys();
	return 0;
}

static int keys_down(void **state)
{
	(void)state;
	free_keys();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_members_come_in_with_their_groups),
		TEST(test_no_groups_is_an_answer),
		TEST(test_pages_are_followed_to_their_bound),
		TEST(test_the_domain_is_the_hd_claim),
		TEST(test_the_token_is_asked_as_rfc_7523_says),
		TEST(test_the_token_is_kept_until_it_ends),
		TEST(test_what_is_not_answered_lets_nobody_in),
		TEST(test_options_that_do_not_fit_are_fatal),
		TEST(test_the_key_file_is_read_at_start),
	};

	return cmocka_run_group_tests_name(
	    "auth/google", tests, keys_up, keys_down);
}
