/*
 * fake: no process at all. For tests of everything around servers, scripted by
 * the options of the START (struct plan_script). Only with allow_fake.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "spawner/fleet.h"
#include "spawner/kind.h"
#include "spawner/server.h"
#include "spawner/words.h"

#define DELAY_MAX_MS 86400000

struct fake {
	struct server *s;
	struct timer timer;
	int64_t exit_after_ms, exit_status, stop_ms;
	char *fail, *text;
	bool asked;
};

static int get_ms(
    const json_t *j, const char *name, int64_t *out, struct err *err)
{
	return json_get_int(j, name, 0, DELAY_MAX_MS, out, err) < 0 ? -1 : 0;
}

static int plan(struct job *job, const struct account *account,
    struct plan *out, struct err *err)
{
	struct plan_script *script = &out->script;
	const json_t *j = job->options;

	(void)account;
	*out = (struct plan){ .arena = &job->arena };
	*script = (struct plan_script){ .exit_after_ms = -1, .text = "" };
	if (!j)
		return 0;
	if (get_ms(j, "delay_ms", &script->delay_ms, err) ||
	    get_ms(j, "exit_after_ms", &script->exit_after_ms, err) ||
	    get_ms(j, "stop_ms", &script->stop_ms, err) ||
	    json_get_int(j, "exit_status", 0, 255, &script->exit_status, err) <
		0 ||
	    json_get_str(j, "fail", 32, &script->fail, err) < 0 ||
	    json_get_str(j, "text", 512, &script->text, err) < 0 ||
	    json_get_str(j, "address", 64, &script->address, err) < 0)
		return -1;
	return 0;
}

static void end(struct fake *fake)
{
	const struct server_exit exit = {
		.status = fake->asked ? -1 : (int)fake->exit_status,
		.signo = fake->asked ? SIGINT : 0,
		.asked = fake->asked,
	};

	server_exited(fake->s, &exit, xstrdup("fake: ended\n"));
}

static void on_end(struct timer *t, void *arg)
{
	(void)t;
	end(arg);
}

static void on_start(struct timer *t, void *arg)
{
	struct fake *fake = arg;
	struct server *s = fake->s;

	if (fake->fail) {
		server_failed(s, fail_code_of(fake->fail), fake->text,
		    xstrdup("fake: failed\n"));
		return;
	}
	if (fake->exit_after_ms >= 0)
		timer_start(
		    fleet_loop(s->fleet), t, fake->exit_after_ms, on_end, fake);
	server_started(s, 0, 0);
	server_ready(s);
}

static int start(struct server *s, struct job *job, struct err *err)
{
	struct plan p;
	struct fake *fake;

	if (plan(job, NULL, &p, err) != 0)
		return -1;
	fake = xcalloc(1, sizeof *fake);
	fake->s = s;
	fake->exit_after_ms = p.script.exit_after_ms;
	fake->exit_status = p.script.exit_status;
	fake->stop_ms = p.script.stop_ms;
	fake->fail = p.script.fail ? xstrdup(p.script.fail) : NULL;
	fake->text = xstrdup(p.script.text);
	s->priv = fake;
	if (p.script.address) {
		free(s->address);
		s->address = xstrdup(p.script.address);
	}
	timer_start(fleet_loop(s->fleet), &fake->timer, p.script.delay_ms,
	    on_start, fake);
	return 0;
}

static enum kind_alive alive(const struct server *s)
{
	return s->priv ? KIND_ALIVE : KIND_GONE;
}

static int stop(struct server *s, int64_t grace_ms, struct err *err)
{
	struct fake *fake = s->priv;

	(void)err;
	if (fake->asked && grace_ms != 0)
		return 0;
	/* One that has not started yet starts first, as the others do. */
	if (s->state == SERVER_STARTING)
		server_started(s, 0, 0);
	fake->asked = true;
	server_stopping(s);
	timer_start(fleet_loop(s->fleet), &fake->timer,
	    grace_ms == 0 ? 0 : fake->stop_ms, on_end, fake);
	return 0;
}

static int tail(struct server *s, struct err *err)
{
	(void)err;
	server_tail(s, "fake: no process\n");
	return 0;
}

static void forget(struct server *s, bool is_over)
{
	struct fake *fake = s->priv;

	(void)is_over;
	s->priv = NULL;
	if (!fake)
		return;
	timer_stop(&fake->timer);
	free(fake->fail);
	free(fake->text);
	free(fake);
}

const struct kind kind_fake = {
	.name = "fake",
	.needs = KIND_NEEDS_FAKE,
	.plan = plan,
	.start = start,
	.alive = alive,
	.stop = stop,
	.tail = tail,
	.forget = forget,
};
