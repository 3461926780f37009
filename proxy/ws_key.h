/*
 * The handshake's proof of RFC 6455 4: who asks makes a key, who accepts
 * answers what follows from it. For WebSockets that come by HTTP/2, where the
 * client makes none and the target still wants one.
 */
#ifndef CARREL_PROXY_WS_KEY_H
#define CARREL_PROXY_WS_KEY_H

#include <stdbool.h>

#include "base/str.h"

#define WS_KEY_CAP 25

/* A fresh one, as it stands in Sec-WebSocket-Key. */
void ws_key_make(char out[WS_KEY_CAP]);
/* Is this the Sec-WebSocket-Accept that belongs to the key? */
bool ws_key_is_answered(const char *key, struct slice accept);

#endif
