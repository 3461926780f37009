/*
 * A server of base/httpd on loopback for each test, with some sorts of bounds.
 */
#ifndef CARREL_TESTS_UNIT_BASE_HTTPD_FIXTURE_H
#define CARREL_TESTS_UNIT_BASE_HTTPD_FIXTURE_H

#include "base/httpd_app.h"

static inline struct app *app_new(int fd, const struct httpd_options *opt)
{
	struct app *app = xcalloc(1, sizeof *app);
	struct httpd_callbacks cb = callbacks;
	struct err err;

	cb.arg = app;
	app->loop = loop_new();
	app->port = sock_port(fd);
	app->httpd = httpd_open(app->loop, fd, opt, &cb, &err);
	assert_non_null(app->httpd);
	for (int i = 0; i < N_CLIENTS; i++)
		app->clients[i].fd = -1;
	return app;
}

static inline void client_close(struct client *c)
{
	watch_stop(&c->watch);
	fd_close(&c->fd);
	buf_fini(&c->in);
}

static inline int teardown(void **state)
{
	struct app *app = *state;

	for (int i = 0; i < N_CLIENTS; i++)
		client_close(&app->clients[i]);
	httpd_close(&app->httpd);
	loop_free(&app->loop);
	free(app);
	return 0;
}

static inline int setup_with(void **state, const struct httpd_options *opt)
{
	struct err err;
	int fd = sock_listen_tcp("127.0.0.1", 0, false, &err);

	assert_true(fd >= 0);
	*state = app_new(fd, opt);
	return 0;
}

static inline int setup(void **state)
{
	const struct httpd_options opt = {
		.max_body_bytes = BODY_MAX,
		.server_name = "test/1",
	};

	return setup_with(state, &opt);
}

static inline int setup_hasty(void **state)
{
	const struct httpd_options opt = { .deadline_ms = 60 };

	return setup_with(state, &opt);
}

static inline int setup_patient(void **state)
{
	const struct httpd_options opt = { .watch_after_ms = 10 };

	return setup_with(state, &opt);
}

static inline int setup_brief(void **state)
{
	const struct httpd_options opt = { .turn_us = TURN_US };

	return setup_with(state, &opt);
}

static inline int setup_narrow(void **state)
{
	const struct httpd_options opt = { .max_connections = 1 };

	return setup_with(state, &opt);
}

static inline int setup_shared(void **state)
{
	const struct httpd_options opt = {
		.max_connections = 1,
		.is_shared = true,
	};

	return setup_with(state, &opt);
}

/* A test with a server of the usual bounds, or of the setup `s`. */
#define T(f)     cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T2(f, s) cmocka_unit_test_setup_teardown(f, s, teardown)

#endif
