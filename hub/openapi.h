/*
 * The REST API as an OpenAPI 3.1 document, made from routes.def and
 * openapi.def: /hub/api/openapi.json and docs/openapi.json.
 */
#ifndef CARREL_HUB_OPENAPI_H
#define CARREL_HUB_OPENAPI_H

#include <jansson.h>

#include "base/buf.h"

/* For a hub below `hub` ("/hub/"); a new reference. */
json_t *openapi_document(const char *hub);
/* docs/openapi.json */
void openapi_write(struct buf *b);
/* One line a route, for tests: method, pattern, gate, scopes (with commas),
 * target, longest body; separated by tabs, "-" for nothing. */
void openapi_write_routes(struct buf *b);

#endif
