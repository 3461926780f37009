/*
 * What `carrel up` must know of carrel.yaml: how the proxy has to look at
 * hosts.
 */
#ifndef CARREL_HUB_CLI_HOSTS_H
#define CARREL_HUB_CLI_HOSTS_H

#include <stdbool.h>

/* Does hub.subdomain_host give people hosts of their own? What is wrong with
 * the file is left to the hub to say: then, no. */
bool hosts_are_used(const char *config_file);

#endif
