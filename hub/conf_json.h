/*
 * A part of the configuration as JSON: what administrators note of groups and
 * services, which the hub shows and does not read.
 */
#ifndef CARREL_HUB_CONF_JSON_H
#define CARREL_HUB_CONF_JSON_H

#include "base/conf.h"
#include "base/json.h"

/* A new reference. Plain true, false and whole numbers are what they look like,
 * all else is text. */
json_t *conf_json(const struct conf_node *n);
/* The same as text in `a`. */
const char *conf_json_text(struct arena *a, const struct conf_node *n);

#endif
