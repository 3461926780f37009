/*
 * The root of the REST API: the version, for everybody (contract/hub.md 1.4).
 */
#include "hub/handlers.h"

void api_root(struct req *r)
{
	http_set(r->http, "Access-Control-Allow-Origin", "*");
	reply_json(r, 200, json_pack("{s:s}", "version", COMPAT_VERSION));
}
