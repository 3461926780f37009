/*
 * See passwords.h. A job belongs to its thread until it is done; one that is
 * cancelled meanwhile is told to nobody.
 */
#include "auth/passwords.h"

#include <assert.h>
#include <pwd.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/offload.h"
#include "base/str.h"

/* RFC 9106 asks for as much as one can give: about 60 ms each, and 64 MiB in
 * all. */
#define PASSES       3
#define MEMORY_BYTES ((size_t)32 * 1024 * 1024)
#define THREADS      2
#define QUEUE        256
#define PWD_BUF      16384

/* Of a password that nobody has, with the parameters above: the work for a name
 * that is not known. */
static const char nobody[] =
    "$argon2id$v=19$m=32768,t=3,p=1$moG+h5MXH3z9NLdwHIdgUg"
    "$dD9tEUHxzA8Q07m/QEacnPM71NfwU2pbDkwgaAfQnJc";

struct passwords {
	struct offload *offload;
	struct list jobs;
	size_t n_jobs;
};

struct passwords_job {
	struct list link;
	struct passwords *owner;
	passwords_fn *fn;
	atomic_bool is_off; /* nobody waits any more */
	void *arg;
	bool makes;
	bool is_known; /* check: there was a hash */
	char *password, *account;
	char hash[crypto_pwhash_STRBYTES];
	struct passwords_answer answer;
};

struct passwords *passwords_new(struct loop *l)
{
	struct passwords *p = xcalloc(1, sizeof *p);
	int rc = sodium_init();

	assert(rc >= 0);
	p->offload = offload_new(l, THREADS, QUEUE);
	list_init(&p->jobs);
	return p;
}

void passwords_free(struct passwords **p)
{
	if (!*p)
		return;
	list_for_each (it, &(*p)->jobs)
		atomic_store(
		    &LIST_ITEM(it, struct passwords_job, link)->is_off, true);
	offload_free(&(*p)->offload);
	free(*p);
	*p = NULL;
}

static void job_free(struct passwords_job *job)
{
	list_del(&job->link);
	job->owner->n_jobs--;
	mem_wipe(job->password, strlen(job->password));
	free(job->password);
	free(job->account);
	free(job);
}

/* ---- on a thread --------------------------------------------------------- */

static bool has_account(const char *name)
{
	char buf[PWD_BUF];
	struct passwd pw, *found = NULL;

	/* What cannot be told counts as one: somebody looks at it then. */
	return getpwnam_r(name, &pw, buf, sizeof buf, &found) != 0 || found;
}

static void make(struct passwords_job *job)
{
	if (crypto_pwhash_str_alg(job->hash, job->password,
		strlen(job->password), PASSES, MEMORY_BYTES,
		crypto_pwhash_ALG_ARGON2ID13) == 0)
		job->answer.hash = job->hash;
	if (job->account)
		job->answer.has_account = has_account(job->account);
}

static void work(void *arg)
{
	struct passwords_job *job = arg;

	if (atomic_load(&job->is_off))
		return;
	if (job->makes)
		make(job);
	else
		job->answer.is_right =
		    crypto_pwhash_str_verify(
			job->hash, job->password, strlen(job->password)) == 0 &&
		    job->is_known;
}

/* ---- on the loop --------------------------------------------------------- */

static void on_worked(void *arg)
{
	struct passwords_job *job = arg;

	if (!atomic_load(&job->is_off))
		job->fn(&job->answer, job->arg);
	job_free(job);
}

static struct passwords_job *submit(
    struct passwords *p, struct passwords_job *job)
{
	job->owner = p;
	p->n_jobs++;
	list_add_tail(&p->jobs, &job->link);
	if (offload_submit(p->offload, work, on_worked, job, NULL) == 0)
		return job;
	job_free(job);
	return NULL;
}

static struct passwords_job *job_new(
    const char *password, passwords_fn *fn, void *arg)
{
	struct passwords_job *job = xcalloc(1, sizeof *job);

	job->password = xstrdup(password);
	job->fn = fn;
	atomic_init(&job->is_off, false);
	job->arg = arg;
	return job;
}

struct passwords_job *passwords_check(struct passwords *p, const char *hash,
    const char *password, passwords_fn *fn, void *arg)
{
	struct passwords_job *job = job_new(password, fn, arg);

	/* A hash of another length is none of ours, and nobody's. */
	job->is_known =
	    hash && str_copy(job->hash, sizeof job->hash, hash) == 0;
	if (!job->is_known)
		memcpy(job->hash, nobody, sizeof nobody);
	return submit(p, job);
}

struct passwords_job *passwords_make(struct passwords *p, const char *password,
    const char *account, passwords_fn *fn, void *arg)
{
	struct passwords_job *job = job_new(password, fn, arg);

	job->makes = true;
	job->account = account ? xstrdup(account) : NULL;
	return submit(p, job);
}

void passwords_cancel(struct passwords_job **job)
{
	if (*job)
		atomic_store(&(*job)->is_off, true);
	*job = NULL;
}

size_t passwords_count(const struct passwords *p)
{
	return p->n_jobs;
}

/* ---- which are good ------------------------------------------------------ */

/* What guessers try first, of those that are long enough to be taken. */
static const char *const much_used[] = {
	"12345678",
	"123456789",
	"1234567890",
	"0123456789",
	"87654321",
	"987654321",
	"11111111",
	"00000000",
	"12341234",
	"11223344",
	"12121212",
	"88888888",
	"66666666",
	"abcd1234",
	"abcdefgh",
	"abcdefghi",
	"aaaaaaaa",
	"a1b2c3d4",
	"1q2w3e4r",
	"1q2w3e4r5t",
	"1qaz2wsx",
	"1qaz2wsx3edc",
	"q1w2e3r4",
	"q1w2e3r4t5",
	"qwer1234",
	"qwerty12",
	"qwerty123",
	"qwerty1234",
	"qwertyui",
	"qwertyuiop",
	"qwertzui",
	"qwertzuiop",
	"azertyui",
	"azertyuiop",
	"asdfasdf",
	"asdfghjk",
	"asdfghjkl",
	"zxcvbnm1",
	"zaq12wsx",
	"password",
	"password1",
	"password12",
	"password123",
	"password1234",
	"passw0rd",
	"passw0rd1",
	"p@ssword",
	"p@ssw0rd",
	"pa$$word",
	"pa$$w0rd",
	"passwort",
	"passwort1",
	"passwort123",
	"motdepasse",
	"contrasena",
	"senha123",
	"welcome1",
	"welcome123",
	"changeme",
	"changeme1",
	"changeme123",
	"letmein1",
	"letmein123",
	"iloveyou",
	"iloveyou1",
	"sunshine",
	"princess",
	"football",
	"baseball",
	"basketball",
	"superman",
	"starwars",
	"trustno1",
	"whatever",
	"computer",
	"internet",
	"jennifer",
	"michelle",
	"dragon123",
	"monkey123",
	"admin123",
	"admin1234",
	"administrator",
	"teacher1",
	"student1",
	"student123",
	"school123",
	"jupyter1",
	"jupyter123",
	"jupyterhub",
	"notebook",
	"notebook1",
	"notebook123",
};

static bool is_much_used(struct slice password)
{
	for (size_t i = 0; i < sizeof much_used / sizeof much_used[0]; i++) {
		if (slice_ieq(password, much_used[i]))
			return true;
	}
	return false;
}

/* As people count: bytes that continue a character are none. */
static size_t n_characters(struct slice s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* One character again and again. */
static bool is_monotone(const char *password)
{
	return strspn(password, (const char[]){ *password, '\0' }) ==
	       strlen(password);
}

int passwords_judge(
    const char *password, const char *name, int64_t min_length, struct err *err)
{
	struct slice p = slice_of(password);

	if (n_characters(p) < (size_t)min_length)
		return err_set(err, ERR_INVALID,
		    "A password needs at least %d characters.",
		    (int)min_length);
	if (p.len > PASSWORD_MAX)
		return err_set(err, ERR_INVALID,
		    "A password may have at most %d bytes.", PASSWORD_MAX);
	if (slice_ieq(p, name))
		return err_set(err, ERR_INVALID,
		    "The password must not be the user name.");
	if (is_much_used(p) || is_monotone(password))
		return err_set(err, ERR_INVALID,
		    "Many people use that password, so it is guessed first. "
		    "Choose another.");
	return 0;
}
