/*
 * Services over REST (contract/hub.md 1.10).
 */
#include <string.h>

#include "base/str.h"
#include "hub/handlers.h"
#include "hub/model_service.h"
#include "hub/service.h"

void api_services_get(struct req *r)
{
	const struct services *all = r->app->services;
	json_t *dict = json_object(), *m;
	struct err err = { 0 };

	for (size_t i = 0; all && i < all->n; i++) {
		const char *name = all->items[i].conf.name;

		if (!req_may_service(r, SCOPE_LIST_SERVICES, name))
			continue;
		if (model_service(r, name, &m, &err) != 0) {
			json_decref(dict);
			reply_err(r, &err);
			return;
		}
		json_object_set_new(dict, name, m);
	}
	reply_json(r, 200, dict);
}

void api_service_get(struct req *r)
{
	struct err err = { 0 };
	char shown[128];
	json_t *m;

	if (!service_find(r->app, r->service_param)) {
		str_printable(shown, sizeof shown, r->service_param,
		    strlen(r->service_param));
		reply_error(r, 404, "No such service: %s", shown);
	} else if (model_service(r, r->service_param, &m, &err) != 0) {
		reply_err(r, &err);
	} else {
		reply_json(r, 200, m);
	}
}
