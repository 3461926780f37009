/*
 * Parts of reply.c beyond what handlers use (hub/route.h).
 */
#ifndef CARREL_HUB_REPLY_H
#define CARREL_HUB_REPLY_H

#include <stdbool.h>

struct asset;
struct req;

/* The request ends: what was held back is freed. */
void reply_release(struct req *r);
/* 404 for what does not exist and for what is somebody else's alike
 * (contract/hub.md 1.1). */
void reply_no_access(struct req *r);
/* "Not found" for 404. */
const char *reply_reason(int status);
/* Headers of an answer whose body is sent by somebody else (a stream). */
void reply_set_stream(struct req *r, const char *content_type);
void reply_text(struct req *r, int status, const char *type, const char *text);
/* An embedded file; 304 when the browser has it. for_ever: its address says its
 * version, so it never changes. */
void reply_file(struct req *r, const struct asset *file, bool for_ever);

#endif
