/*
 * Do services answer? Any status below 500 at /services/NAME/ is an answer
 * (contract/hub.md 9.2). A change is told once in the log; pages and REST show
 * the last look.
 */
#include "base/fetch.h"
#include "base/log.h"
#include "base/str.h"
#include "hub/app.h"
#include "hub/service.h"

#define LOOK_MS    10000
#define ANSWER_MAX (1024 * 1024)
#define FIRST_MS   100

static void note(struct service *s, bool answers, const char *why)
{
	struct log_ctx ctx = { .server = s->conf.name };
	int before = s->answers;

	s->answers = answers;
	if (before == s->answers)
		return;
	if (!answers)
		log_warn(&ctx, "service does not answer", "url=%s why=\"%s\"",
		    s->conf.origin, why);
	else
		log_info(&ctx, "service answers", "url=%s", s->conf.origin);
}

static void on_answer(const struct fetch_result *res, void *arg)
{
	struct service *s = arg;
	char why[64];

	s->fetch_id = 0;
	if (res->status <= 0)
		note(s, false, res->err.text);
	else if (str_format(why, sizeof why, "status %d", res->status) == 0)
		note(s, res->status < 500, why);
}

static bool may_answer(const struct service *s)
{
	return *s->conf.url && !s->fetch_id &&
	       (s->state == SERVICE_EXTERNAL || s->state == SERVICE_RUNNING);
}

static void look(struct service *s)
{
	struct fetch_req req = {
		.method = "GET",
		.connect_timeout_ms = 2000,
		.timeout_ms = LOOK_MS,
		.max_body_bytes = ANSWER_MAX,
	};
	const char *prefix;
	struct arena a;

	if (!may_answer(s))
		return;
	arena_init(&a);
	prefix = service_conf_prefix(&a, &s->app->cfg, s->conf.name);
	req.url = s->conf.managed
		      ? arena_printf(&a, "http://%s%s", s->address, prefix)
		      : arena_printf(&a, "%s%s", s->conf.origin, prefix);
	s->fetch_id = fetch_start(s->app->fetcher, &req, on_answer, s);
	arena_fini(&a);
}

static void on_check(struct timer *t, void *arg)
{
	struct app *app = arg;

	for (size_t i = 0; i < app->services->n; i++)
		look(app->services->items[i]);
	timer_start(
	    app->loop, t, app->cfg.service_check_s * 1000, on_check, app);
}

void services_check_begin(struct app *app)
{
	if (app->services && app->services->n > 0 &&
	    !timer_running(&app->services->check_timer))
		timer_start(app->loop, &app->services->check_timer, FIRST_MS,
		    on_check, app);
}
