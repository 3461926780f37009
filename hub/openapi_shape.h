/*
 * Types of openapi.def as JSON Schema.
 */
#ifndef CARREL_HUB_OPENAPI_SHAPE_H
#define CARREL_HUB_OPENAPI_SHAPE_H

#include <jansson.h>

#include "base/str.h"

/* "User[]|null" as a schema; a new reference. */
json_t *openapi_type(struct slice text);
/* All shapes, by name; a new reference. */
json_t *openapi_shapes(void);

#endif
