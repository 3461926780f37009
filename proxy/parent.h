/*
 * The process that people know as the proxy: it starts the engine, which does
 * all the work, keeps duplicates of its listening sockets and of its plain
 * tunnels, and when the engine dies gives them to the next one
 * (docs/architecture.md "Proxy crash"). It reads no byte of the network and
 * does nothing of its own, so that it lives.
 */
#ifndef CARREL_PROXY_PARENT_H
#define CARREL_PROXY_PARENT_H

#include "proxy/config.h"

/* Returns the exit status: the engine's own when it ended in order or never
 * served. argv: for the engine. */
int parent_run(const struct config *c, char **argv);

#endif
