/*
 * See model_service.h.
 */
#include "hub/model_service.h"

#include <string.h>

#include "db/role.h"
#include "db/service.h"
#include "hub/service.h"

bool req_may_service(struct req *r, enum scope_id id, const char *service)
{
	const struct scope_resource res = { .service = service };

	return principal_check(&r->who, r->app->db, id, &res) == SCOPE_GRANTED;
}

static json_t *info_of(const struct service *s)
{
	json_t *info = NULL;
	struct err err;

	if (json_parse(s->conf.info, strlen(s->conf.info), &info, &err) != 0)
		return json_object();
	return info;
}

/* `command` is root's secret and always empty; `managed` tells what it would.
 */
static void add_detail(struct req *r, const struct service *s, json_t *m)
{
	const struct service_conf *c = &s->conf;

	json_object_set_new(m, "url", json_string(c->url));
	json_object_set_new(m, "prefix",
	    json_string(*c->url ? service_conf_prefix(
				      &r->http->arena, &r->app->cfg, c->name)
				: ""));
	json_object_set_new(m, "command", json_array());
	json_object_set_new(m, "pid", json_integer(s->pid));
	json_object_set_new(m, "info", info_of(s));
	json_object_set_new(m, "display", json_boolean(c->display));
	json_object_set_new(
	    m, "managed", c->managed ? json_string(c->managed) : json_null());
	json_object_set_new(m, "status", json_string(service_state_name(s)));
	json_object_set_new(m, "answers",
	    s->answers < 0 ? json_null() : json_boolean(s->answers));
	json_object_set_new(
	    m, "failure", *s->failure ? json_string(s->failure) : json_null());
}

static int add_role(int64_t id, const char *name, void *arg, struct err *err)
{
	(void)id, (void)err;
	json_array_append_new(arg, json_string(name));
	return 0;
}

static int add_roles(
    struct req *r, const struct service_row *row, json_t *m, struct err *err)
{
	json_t *roles = json_array();

	json_object_set_new(m, "roles", roles);
	if (role_each_of_services(
		r->app->db, &row->id, 1, add_role, roles, err) != 0)
		return -1;
	if (row->admin) {
		const char *admin = role_name(ROLE_ADMIN);
		size_t i;
		json_t *role;

		json_array_foreach (roles, i, role)
			if (!strcmp(json_string_value(role), admin))
				return 0;
		json_array_append_new(roles, json_string(admin));
	}
	return 0;
}

int model_service(
    struct req *r, const char *name, json_t **out, struct err *err)
{
	const struct service *s = service_find(r->app, name);
	struct service_row row = { .id = 0 };
	bool may_read = req_may_service(r, SCOPE_READ_SERVICES, name);
	int found =
	    service_row_find(r->app->db, &r->http->arena, name, &row, err);
	json_t *m;

	if (found < 0)
		return -1;
	m = json_pack("{ss ss}", "kind", "service", "name", name);
	if (may_read || req_may_service(r, SCOPE_READ_SERVICES_NAME, name))
		json_object_set_new(m, "admin", json_boolean(row.admin));
	if (may_read && s)
		add_detail(r, s, m);
	if (s && req_may_service(r, SCOPE_ADMIN_SERVICES, name))
		json_object_set_new(m, "tail", json_string(s->tail));
	if (found && req_may_service(r, SCOPE_READ_ROLES_SERVICES, name) &&
	    add_roles(r, &row, m, err) != 0) {
		json_decref(m);
		return -1;
	}
	*out = m;
	return 0;
}

json_t *model_services_shown(struct req *r)
{
	const struct services *all = r->app->services;
	json_t *list = json_array();

	for (size_t i = 0; all && i < all->n; i++) {
		const struct service_conf *c = &all->items[i]->conf;

		if (!*c->url || !c->display ||
		    !req_may_service(r, SCOPE_ACCESS_SERVICES, c->name))
			continue;
		json_array_append_new(
		    list, json_pack("{ss ss}", "name", c->name, "url",
			      service_conf_url(
				  &r->http->arena, &r->app->cfg, c->name)));
	}
	return list;
}
