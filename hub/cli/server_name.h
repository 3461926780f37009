/*
 * "USER/SERVER" as the command line names a server.
 */
#ifndef CARREL_HUB_CLI_SERVER_NAME_H
#define CARREL_HUB_CLI_SERVER_NAME_H

struct api;

/* The user, escaped for a path; *name_out is the server's name as it stands,
 * "" the default one. */
const char *server_name_path(
    struct api *api, const char *arg, const char **name_out);

#endif
