/*
 * Does a server's address answer? GET <address><path>api, 0.2 s apart, doubling
 * to 5 s, with jitter; any status below 500 is an answer (contract/hub.md 4.1
 * step 7).
 */
#include <string.h>

#include "base/fetch.h"
#include "base/rand.h"
#include "hub/app.h"
#include "hub/internal_tls.h"
#include "hub/server_turn.h"

#define FIRST_DELAY_MS 200
#define MAX_DELAY_MS   5000
#define TRY_MS         10000
#define ANSWER_MAX     65536

static void try_once(struct server *s);

static void note(struct server *s, const struct fetch_result *res)
{
	int fits;

	if (res->status > 0)
		fits = str_format(s->probe.last, sizeof s->probe.last,
		    "the last answer was status %d", res->status);
	else
		fits = str_format(s->probe.last, sizeof s->probe.last, "%.*s",
		    (int)sizeof s->probe.last - 1, res->err.text);
	(void)fits;
}

static void note_version(struct server *s, const struct fetch_result *res)
{
	const char *version = fetch_header(res, "X-JupyterHub-Version");

	str_printable(s->version, sizeof s->version, version ? version : "",
	    version ? strlen(version) : 0);
}

static void on_again(struct timer *t, void *arg)
{
	(void)t;
	try_once(arg);
}

static int64_t next_delay(struct server_probe *p)
{
	int64_t delay = p->delay_ms;

	if (p->delay_ms < MAX_DELAY_MS)
		p->delay_ms *= 2;
	if (p->delay_ms > MAX_DELAY_MS)
		p->delay_ms = MAX_DELAY_MS;
	/* 80 to 120 %. */
	return delay * 8 / 10 +
	       (int64_t)rand_below((uint64_t)(delay * 4 / 10 + 1));
}

static void on_answer(const struct fetch_result *res, void *arg)
{
	struct server *s = arg;
	struct server_probe *p = &s->probe;
	struct server_cause c = { .result = 0 };
	int64_t left = p->until_ms - loop_now_ms(s->app->loop);
	int64_t delay;

	p->fetch_id = 0;
	note(s, res);
	if (res->status > 0 && res->status < 500) {
		note_version(s, res);
		server_event(s, EV_HTTP_OK, &c);
		return;
	}
	if (left <= 0) {
		server_event(s, EV_HTTP_TIMEOUT, &c);
		return;
	}
	delay = next_delay(p);
	timer_start(
	    s->app->loop, &p->again, delay < left ? delay : left, on_again, s);
}

static void try_once(struct server *s)
{
	struct server_probe *p = &s->probe;
	int64_t left = p->until_ms - loop_now_ms(s->app->loop);
	char url[2048];
	struct fetch_req req = {
		.method = "GET",
		.url = url,
		.connect_timeout_ms = 2000,
		.timeout_ms = left < TRY_MS ? left : TRY_MS,
		.max_body_bytes = ANSWER_MAX,
	};
	struct fetch_result failed = { .status = 0 };

	if (req.timeout_ms < 1)
		req.timeout_ms = 1;
	internal_tls_prepare(s->app, &req);
	if (str_format(url, sizeof url, "%s%s%sapi", server_scheme(s),
		s->address, s->path) == 0) {
		p->fetch_id = fetch_start(s->app->fetcher, &req, on_answer, s);
		return;
	}
	err_set(&failed.err, ERR_INVALID, "its address is too long");
	on_answer(&failed, s);
}

void server_probe_start(struct server *s, int64_t timeout_ms)
{
	server_probe_stop(s);
	s->probe.delay_ms = FIRST_DELAY_MS;
	s->probe.until_ms = loop_now_ms(s->app->loop) + timeout_ms;
	s->probe.last[0] = '\0';
	/* Never from inside an action: the first try is a timer too. */
	timer_start(s->app->loop, &s->probe.again, 0, on_again, s);
}

void server_probe_stop(struct server *s)
{
	timer_stop(&s->probe.again);
	if (s->probe.fetch_id)
		fetch_cancel(s->app->fetcher, s->probe.fetch_id);
	s->probe.fetch_id = 0;
}
