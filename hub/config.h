/*
 * The hub's configuration: carrel.yaml bound to one struct. Options are
 * declared in config.def and nowhere else. Knows nothing of the running hub.
 */
#ifndef CARREL_HUB_CONFIG_H
#define CARREL_HUB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/rules.h"
#include "auth/scope_custom.h"
#include "auth/throttle.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "hub/domain.h"

/* The C type behind each kind of option. */
#define CONFIG_C_BOOL    bool
#define CONFIG_C_INT     int64_t
#define CONFIG_C_SECONDS int64_t
#define CONFIG_C_BYTES   int64_t
#define CONFIG_C_STRING  const char *
#define CONFIG_C_WORD    const char *
#define CONFIG_C_STRINGS struct conf_strings
#define CONFIG_C_MAP_STR struct conf_pairs
#define CONFIG_C_TREE    struct conf_node *

/* Strings are "" when unset, live in the arena of config_load. */
struct config {
	struct auth_rules_config rules;
	struct throttle_config throttle;
	struct scope_customs *customs; /* of custom_scopes; NULL: none */
	struct domain domain;          /* of subdomain_host */
#define OPT(member, kind, ...) CONFIG_C_##kind member;
#define OPT_IN(...)
#include "hub/config.def"
};

#define CONFIG_FILE_MAX (1024 * 1024)

/*
 * Parse, bind, check: all problems (one a line, "file:line:column: ...") go
 * into *problems, which may be NULL; err has the first. text NULL: the built-in
 * defaults, under which nobody may log in.
 */
int config_load(struct arena *a, const char *text, size_t len, const char *file,
    struct config *out, struct buf *problems, struct err *err) MUST_CHECK;

/*
 * Each option whose value is another one, with both as text; what may hold
 * secrets is only said to be different. Before config_apply.
 */
typedef void config_change_fn(
    const struct conf_option *o, const char *from, const char *to, void *arg);
void config_changes(const struct config *now, const struct config *fresh,
    config_change_fn *fn, void *arg);
/*
 * Take over from `fresh` what may change while the hub runs; the names of the
 * options that changed go into *applied, of those that wait for a restart into
 * *waiting (blank-separated). The strings of both must live on.
 */
void config_apply(struct config *now, const struct config *fresh,
    struct buf *applied, struct buf *waiting);

/* etc/carrel.yaml: all options commented, the shipped choices in plain sight.
 */
void config_write_sample(struct buf *b);
/* docs/config.md */
void config_write_manual(struct buf *b);

/* The table itself (tests/table). */
const struct conf_option *config_options(size_t *n_out);

#endif
