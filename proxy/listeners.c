/*
 * Where the program can be reached, as the log says it at the start. Tests and
 * tools look for some of these texts (contract/proxy.md 14).
 */
#include <string.h>

#include "base/log.h"
#include "proxy/app.h"

struct place {
	const char *what;
	bool has_tls;
	const char *ip, *socket; /* socket: NULL, or in place of ip and port */
	uint16_t port;
	const char *path;
	const char *more; /* behind it */
};

static void log_place(const struct place *p)
{
	bool is_v6 = strchr(p->ip, ':') != NULL;

	if (p->socket != NULL)
		log_info(NULL, p->what, "unix:%s%s", p->socket, p->more);
	else
		log_info(NULL, p->what, "%s://%s%s%s:%u%s%s",
		    p->has_tls ? "https" : "http", is_v6 ? "[" : "",
		    p->ip[0] == '\0' ? "*" : p->ip, is_v6 ? "]" : "",
		    (unsigned)p->port, p->path, p->more);
}

static void log_public(const struct app *app)
{
	const struct config *c = &app->config;
	char workers[32];
	struct place p = {
		.what = "Proxying",
		.has_tls = config_has_tls(c),
		.ip = c->ip,
		.socket = c->socket,
		.port = app->port,
		.path = "",
		.more = workers,
	};

	if (str_format(
		workers, sizeof workers, " workers=%zu", app->n_workers) < 0)
		p.more = "";
	log_place(&p);
}

void app_log_listeners(const struct app *app)
{
	const struct config *c = &app->config;
	const struct place api = {
		.what = "REST API",
		.has_tls = config_has_api_tls(c),
		.ip = c->api_ip,
		.socket = c->api_socket,
		.port = app->api_port,
		.path = "/api/routes",
		.more = "",
	};
	const struct place metrics = {
		.what = "Metrics",
		.ip = c->metrics_ip,
		.socket = c->metrics_socket,
		.port = app->metrics_port,
		.path = "/metrics",
		.more = "",
	};

	log_public(app);
	if (app->redirect != NULL)
		log_info(NULL, "Added HTTP to HTTPS redirection", "from=%u",
		    (unsigned)app->redirect_port);
	if (app->metrics_fd >= 0)
		log_place(&metrics);
	log_place(&api);
}
