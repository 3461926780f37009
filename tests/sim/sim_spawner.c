/*
 * The simulated spawner: packets in order and late, processes that hang, exit
 * or never answer, keepers that outlive it. Also the network in front of the
 * processes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "tests/sim/world.h"

#define FIRST_PORT 40000
#define N_PORTS    6

/* A packet under way, in either direction. */
struct packet {
	struct timer timer;
	uint64_t connection;
	enum {
		SAY_STARTED,
		SAY_READY,
		SAY_FAILED,
		SAY_EXITED,
		SAY_FOUND,
		SAY_LIST_END,
		ASK_START,
		ASK_STOP,
		ASK_ACK,
		ASK_LIST
	} what;
	char key[SPAWNER_KEY_LEN + 1];
	struct proc copy; /* what is said of a process, as it was then */
	size_t person;
};

static int64_t now_ms(void)
{
	return clock_mono_ms();
}

struct proc *proc_by_key(const char *key)
{
	list_for_each (it, &world.procs) {
		struct proc *p = LIST_ITEM(it, struct proc, link);

		if (strcmp(p->key, key) == 0)
			return p;
	}
	return NULL;
}

struct proc *proc_by_port(int port)
{
	list_for_each (it, &world.procs) {
		struct proc *p = LIST_ITEM(it, struct proc, link);

		if (p->port == port && p->state != PROC_EXITED)
			return p;
	}
	return NULL;
}

static int pick_port(void)
{
	if (!world.reuses_ports)
		return ++world.next_port;
	for (;;) {
		int port = FIRST_PORT + (int)world_random(N_PORTS + N_PEOPLE);

		if (!proc_by_port(port))
			return port;
	}
}

static void proc_free(struct proc *p)
{
	timer_stop(&p->timer);
	timer_stop(&p->listener);
	list_del(&p->link);
	free(p);
}

/* ---- packets ------------------------------------------------------------- */

static void deliver(struct timer *t, void *arg);

static void post(struct packet *k, int64_t *last_ms)
{
	int64_t at =
	    now_ms() + (int64_t)world_random(world_chance(5) ? 4000 : 60);

	/* A stream never overtakes itself. */
	if (at < *last_ms)
		at = *last_ms;
	*last_ms = at;
	k->connection = world.connection;
	timer_start(world.loop, &k->timer, at - now_ms(), deliver, k);
}

static void say_once(int what, const struct proc *p)
{
	struct packet *k = xcalloc(1, sizeof *k);

	k->what = what;
	if (p) {
		k->copy = *p;
		memcpy(k->key, p->key, sizeof k->key);
	}
	post(k, &world.to_hub_ms);
}

/* Sometimes twice: after a reconnection nobody knows what had arrived. */
static void say(int what, const struct proc *p)
{
	if (!fake_spawner.is_up)
		return;
	say_once(what, p);
	if ((what == SAY_STARTED || what == SAY_READY || what == SAY_FAILED ||
		what == SAY_EXITED) &&
	    world_chance(5))
		say_once(what, p);
}

/* ---- processes ----------------------------------------------------------- */

static void proc_exit(struct proc *p, int status, int signo)
{
	world_trace("process of %s exits key=%s status=%d signal=%d",
	    world.people[p->person].name, p->key, status, signo);
	timer_stop(&p->timer);
	timer_stop(&p->listener);
	p->state = PROC_EXITED;
	p->status = status;
	p->signo = signo;
	p->oom = signo == 9 && world_chance(30);
	world.n_exits++;
	if (world.spawner_alive)
		say(SAY_EXITED, p);
}

static void on_asked_exit(struct timer *t, void *arg)
{
	(void)t;
	proc_exit(arg, 0, 2);
}

static void on_early_exit(struct timer *t, void *arg)
{
	struct proc *p = arg;

	(void)t;
	if (p->state == PROC_RUNNING)
		proc_exit(p, 1, 0);
}

/* The keeper ends what it cannot vouch for. */
static void refuse_stranger(struct proc *p)
{
	world_trace("a stranger has the port of %s key=%s",
	    world.people[p->person].name, p->key);
	if (!world.spawner_alive || !fake_spawner.is_up) {
		proc_exit(p, 0, 9);
		return;
	}
	p->is_hanging = false;
	say(SAY_FAILED, p);
	proc_free(p);
}

/* READY is late, comes twice (say), or is lost; LIST has it then. */
static void on_listener(struct timer *t, void *arg)
{
	struct proc *p = arg;

	(void)t;
	if (p->is_stranger_first) {
		refuse_stranger(p);
		return;
	}
	p->is_ready = true;
	if (world.spawner_alive && !world_chance(8))
		say(SAY_READY, p);
}

static void on_started(struct timer *t, void *arg)
{
	struct proc *p = arg;

	(void)t;
	p->state = PROC_RUNNING;
	p->is_hidden = false;
	p->ready_ms = now_ms() + (int64_t)world_random(3000);
	if (world_chance(7))
		p->ready_ms = -1;
	else if (world_chance(10))
		timer_start(world.loop, &p->timer, (int64_t)world_random(2000),
		    on_early_exit, p);
	if (world.spawner_alive)
		say(SAY_STARTED, p);
	p->is_stranger_first = world_chance(8);
	timer_start(world.loop, &p->listener,
	    25 + (int64_t)world_random(world_chance(10) ? 20000 : 200),
	    on_listener, p);
}

static void make_proc(const struct packet *k)
{
	struct proc *p = xcalloc(1, sizeof *p);

	memcpy(p->key, k->key, sizeof p->key);
	p->person = k->person;
	p->port = pick_port();
	p->ready_ms = -1;
	p->is_hanging = world_chance(5);
	snprintf(p->address, sizeof p->address, "127.0.0.1:%d", p->port);
	list_add_tail(&world.procs, &p->link);
	world_trace("process of %s starts key=%s port=%d",
	    world.people[p->person].name, p->key, p->port);
	if (!p->is_hanging)
		timer_start(world.loop, &p->timer, (int64_t)world_random(1500),
		    on_started, p);
}

static void take_start(const struct packet *k)
{
	struct proc refused = {
		.person = k->person,
		.is_hanging = world_chance(15),
	};

	memcpy(refused.key, k->key, sizeof refused.key);
	if (proc_by_key(k->key))
		world_broken("a key is used once", "key=%s", k->key);
	else if (refused.is_hanging || world_chance(8))
		say(SAY_FAILED, &refused);
	else
		make_proc(k);
}

static void take_stop(const struct packet *k)
{
	struct proc *p = proc_by_key(k->key);
	int64_t late = world_chance(10) ? 20000 : 800;

	if (!p || p->state == PROC_EXITED || p->is_hidden)
		return;
	if (p->is_asked && timer_running(&p->timer))
		return;
	p->is_asked = true;
	timer_start(world.loop, &p->timer,
	    (int64_t)world_random((uint64_t)late), on_asked_exit, p);
}

static void take_list(void)
{
	list_for_each (it, &world.procs) {
		struct proc *p = LIST_ITEM(it, struct proc, link);

		if (p->state != PROC_EXITED && !p->is_hidden)
			say(SAY_FOUND, p);
	}
	say(SAY_LIST_END, NULL);
}

static void take_ack(const struct packet *k)
{
	struct proc *p = proc_by_key(k->key);

	if (p && p->state == PROC_EXITED)
		proc_free(p);
}

/* ---- both ends ----------------------------------------------------------- */

static void say_process(const struct packet *k)
{
	const struct proc *p = &k->copy;
	const struct spawner_server s = {
		.key = p->key,
		.account = world.people[p->person].name,
		.profile = "default",
		.pid = 1000 + p->port,
		.start_time = 1,
		.address = p->state == PROC_STARTING ? "" : p->address,
		.ready = k->what == SAY_FOUND && p->is_ready,
	};

	if (k->what == SAY_STARTED)
		fake_spawner.cb.started(&s, fake_spawner.cb.arg);
	else
		fake_spawner.cb.found(&s, fake_spawner.cb.arg);
}

static void say_end(const struct packet *k)
{
	const struct proc *p = &k->copy;
	const struct spawner_exited e = {
		.key = p->key,
		.status = p->signo ? -1 : p->status,
		.signo = p->signo,
		.oom = p->oom,
		.asked = p->is_asked,
		.tail = "a last line",
	};
	const struct spawner_failed f = {
		.key = p->key,
		.code = p->is_hanging ? FAIL_LIMIT : FAIL_EXEC,
		.text = "no such program, or no room",
		.tail = "",
	};

	if (k->what == SAY_EXITED)
		fake_spawner.cb.exited(&e, fake_spawner.cb.arg);
	else
		fake_spawner.cb.failed(&f, fake_spawner.cb.arg);
}

static void act(const struct packet *k)
{
	switch (k->what) {
	case SAY_STARTED:
	case SAY_FOUND:
		say_process(k);
		return;
	case SAY_READY:
		fake_spawner.cb.ready(k->key, fake_spawner.cb.arg);
		return;
	case SAY_FAILED:
	case SAY_EXITED:
		say_end(k);
		return;
	case SAY_LIST_END:
		fake_spawner.cb.list_end(fake_spawner.cb.arg);
		return;
	case ASK_START:
		take_start(k);
		return;
	case ASK_STOP:
		take_stop(k);
		return;
	case ASK_ACK:
		take_ack(k);
		return;
	case ASK_LIST:
		take_list();
		return;
	}
}

static void deliver(struct timer *t, void *arg)
{
	struct packet *k = arg;

	(void)t;
	/* Lost with its connection. */
	if (k->connection == world.connection && fake_spawner.is_up)
		act(k);
	free(k);
}

static size_t person_of(const struct spawner_start *start)
{
	for (size_t i = 0; i < N_PEOPLE; i++) {
		if (strcmp(world.people[i].name, start->account) == 0)
			return i;
	}
	return 0;
}

static void on_sent(
    enum fake_message what, const char *key, const struct spawner_start *start)
{
	struct packet *k = xcalloc(1, sizeof *k);

	memcpy(k->key, key, strlen(key));
	switch (what) {
	case FAKE_START:
		check_start(key, start);
		world.n_starts++;
		k->what = ASK_START;
		k->person = person_of(start);
		break;
	case FAKE_STOP:
		check_stop(key);
		k->what = ASK_STOP;
		break;
	case FAKE_ACK:
		k->what = ASK_ACK;
		break;
	case FAKE_LIST:
		k->what = ASK_LIST;
		break;
	}
	world_trace("hub sends %s key=%s",
	    (const char *const[]){ "START", "STOP", "ACK", "LIST" }[what], key);
	post(k, &world.to_spawner_ms);
}

/* ---- connection ---------------------------------------------------------- */

static void repeat_exits(void)
{
	list_for_each (it, &world.procs) {
		struct proc *p = LIST_ITEM(it, struct proc, link);

		if (p->state == PROC_EXITED)
			say(SAY_EXITED, p);
	}
}

static void on_connect(struct timer *t, void *arg)
{
	(void)t;
	(void)arg;
	if (!world.app || fake_spawner.is_up)
		return;
	world.spawner_alive = true;
	world.connection++;
	world.to_hub_ms = world.to_spawner_ms = 0;
	world_trace("spawner and hub are connected");
	fake_spawner_up();
	repeat_exits();
}

void spawner_connect(void)
{
	timer_start(world.loop, &world.spawner_timer,
	    (int64_t)world_random(400), on_connect, NULL);
}

/* Keepers go on; a process that had none yet is lost. */
void spawner_die(void)
{
	world_trace("spawner dies");
	world.spawner_alive = false;
	world.connection++;
	list_for_each (it, &world.procs) {
		struct proc *p = LIST_ITEM(it, struct proc, link);

		if (p->state != PROC_STARTING)
			continue;
		p->is_hidden = !p->is_hanging && world_chance(40);
		if (p->is_hidden)
			timer_start(world.loop, &p->timer,
			    (int64_t)world_random(25000), on_started, p);
		else if (world_chance(50))
			proc_free(p);
	}
	if (world.app && fake_spawner.is_up)
		fake_spawner_down();
	timer_start(world.loop, &world.spawner_timer,
	    (int64_t)world_random(15000), on_connect, NULL);
}

void spawner_process_dies(void)
{
	list_for_each (it, &world.procs) {
		struct proc *p = LIST_ITEM(it, struct proc, link);

		if (p->state == PROC_RUNNING && world_chance(30)) {
			proc_exit(p, 0, world_chance(50) ? 9 : 0);
			return;
		}
	}
}

/* Its machine is so busy that it does not answer for a while. */
void spawner_process_is_busy(void)
{
	list_for_each (it, &world.procs) {
		struct proc *p = LIST_ITEM(it, struct proc, link);

		if (p->was_ready && world_chance(50)) {
			world_trace("process of %s is busy",
			    world.people[p->person].name);
			p->ready_ms = now_ms() + 40000;
		}
	}
}

/* ---- the network in front of the processes ---------------------------------
 */

struct visit {
	struct timer timer;
	uint64_t fetch_id;
	int port;
};

static int status_of(int port)
{
	const struct proc *p = proc_by_port(port);

	if (p && p->state == PROC_RUNNING && p->is_stranger_first)
		return 200;
	if (!p || p->state != PROC_RUNNING || p->ready_ms < 0 ||
	    now_ms() < p->ready_ms)
		return 0;
	return world_chance(5) ? 503 : 302;
}

static void on_visit(struct timer *t, void *arg)
{
	struct visit *v = arg;
	struct fake_fetch *f = fake_fetch_find(v->fetch_id);
	int status = status_of(v->port);

	(void)t;
	free(v);
	if (f)
		fake_fetch_answer(f, status);
}

static void on_fetch(struct fake_fetch *f)
{
	struct visit *v = xcalloc(1, sizeof *v);
	const char *colon = strrchr(f->url, ':');
	uint16_t port = 0;
	struct err err;
	char digits[8] = "";

	if (colon)
		memcpy(digits, colon + 1, strspn(colon + 1, "0123456789") % 8);
	if (num_u16(digits, &port, &err) != 0)
		world_broken("addresses have a port", "%s", f->url);
	v->fetch_id = f->id;
	v->port = port;
	timer_start(world.loop, &v->timer,
	    (int64_t)world_random(world_chance(10) ? 3000 : 20), on_visit, v);
}

void spawner_init(void)
{
	list_init(&world.procs);
	world.next_port = FIRST_PORT;
	world.spawner_alive = true;
	fake_spawner = (struct fake_spawner){ .sent = on_sent };
	fake_fetch_init();
	fake_fetches.queued = on_fetch;
}

void spawner_fini(void)
{
	timer_stop(&world.spawner_timer);
	list_for_each (it, &world.procs)
		proc_free(LIST_ITEM(it, struct proc, link));
}
