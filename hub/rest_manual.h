/*
 * docs/rest.md, made from hub/routes.def.
 */
#ifndef CARREL_HUB_REST_MANUAL_H
#define CARREL_HUB_REST_MANUAL_H

#include "base/buf.h"

void rest_write_manual(struct buf *b);

#endif
