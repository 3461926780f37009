/*
 * The command line of carrel-proxy: config.def bound to a struct. Knows no
 * other part of the proxy.
 */
#ifndef CARREL_PROXY_CONFIG_H
#define CARREL_PROXY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cidr.h"
#include "base/err.h"
#include "base/log.h"
#include "base/url.h"

#define CONFIG_PORT_UNSET (-1)

struct config_header {
	const char *name, *value;
};

struct config_headers {
	struct config_header *items;
	size_t n;
};

struct config_cidrs {
	struct cidr *items;
	size_t n;
};

struct config_list {
	const char **items;
	size_t n;
};

#define CONFIG_TYPE_STRING     const char *
#define CONFIG_TYPE_ADDRESS    const char *
#define CONFIG_TYPE_PORT       int
#define CONFIG_TYPE_FLAG       bool
#define CONFIG_TYPE_OFF        bool
#define CONFIG_TYPE_MILLIS     int64_t
#define CONFIG_TYPE_SECONDS    int64_t
#define CONFIG_TYPE_COUNT      int64_t
#define CONFIG_TYPE_LEVEL      enum log_level
#define CONFIG_TYPE_HEADERS    struct config_headers
#define CONFIG_TYPE_CIDRS      struct config_cidrs
#define CONFIG_TYPE_LIST       struct config_list
#define CONFIG_TYPE_PROTOCOL   const char *
#define CONFIG_TYPE_NUMBER     int64_t
#define CONFIG_TYPE_HEAD_SIZE  int64_t
#define CONFIG_TYPE_HEAD_COUNT int64_t

struct config {
#define SECTION(text)
#define OPT(kind, member, flag, argument, fallback, text)                      \
	CONFIG_TYPE_##kind member;
#define GONE(kind, flag, takes_value, text)
#include "proxy/config.def"
#undef SECTION
#undef OPT
#undef GONE
	/* From the environment; "" without one. Never logged. */
	const char *token;
	const char *metrics_token;  /* "": everybody may see the metrics */
	const char *ssl_passphrase; /* of --ssl-key; NULL: none */
	const char *api_ssl_passphrase;
	struct url error_url; /* --error-target, parsed */
	/* The files of --client-ssl-dir; NULL without it. */
	const char *client_dir_pair, *client_dir_ca;
	struct arena arena;
};

enum config_outcome {
	CONFIG_RUN,
	CONFIG_HELP,    /* --help was given */
	CONFIG_VERSION, /* --version was given */
	CONFIG_MANUAL,  /* --print-config-manual was given */
};

/*
 * Defaults, then the arguments, then what they mean together. Strings live as
 * long as the config; argv is borrowed. Accepted flags without effect and
 * other remarks go to `notes`, a line each.
 */
int config_parse(struct config *c, int argc, char *const *argv,
    enum config_outcome *outcome, struct buf *notes,
    struct err *err) MUST_CHECK;
/* Is the public port TLS? */
bool config_has_tls(const struct config *c);
bool config_has_api_tls(const struct config *c);
/*
 * Token, passphrases and the rest of the environment. CONFIGPROXY_AUTH_TOKEN
 * wins over CONFIGPROXY_AUTH_TOKEN_FILE.
 */
int config_read_token(struct config *c, struct err *err) MUST_CHECK;
void config_fini(struct config *c);

void config_write_help(struct buf *b);
/* docs/proxy-flags.md */
void config_write_manual(struct buf *b);

#endif
