/*
 * docs/reference-options.md, made from hub/reference.def.
 */
#ifndef CARREL_HUB_REFERENCE_MANUAL_H
#define CARREL_HUB_REFERENCE_MANUAL_H

#include "base/buf.h"

void reference_write_manual(struct buf *b);

#endif
