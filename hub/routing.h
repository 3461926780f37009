/*
 * The proxy's table as the hub wants it: for each path the wish that holds, and
 * at most one request under way. A wish that changes while a request is under
 * way is carried out after it, so that a slow answer can never undo a newer
 * wish. Knows paths and targets, not servers: those go by their row id.
 */
#ifndef CARREL_HUB_ROUTING_H
#define CARREL_HUB_ROUTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

struct app;
struct routing;

/*
 * The wish for a path holds (err->code ERR_NONE) or the proxy refused it or was
 * away for too long. Only for the newest wish, and once. id as given.
 */
typedef void routing_done_fn(
    struct app *app, int64_t id, bool wanted, const struct err *err);

struct routing *routing_new(struct app *app);
/* No callback comes after. */
void routing_free(struct routing **r);

/* Path escaped, without a slash at the end. All is copied; data is borrowed.
 * Never calls back before it returned; done may be NULL. */
void routing_want(struct app *app, const char *path, const char *target,
    const json_t *data, int64_t id, routing_done_fn *done);
void routing_unwant(
    struct app *app, const char *path, int64_t id, routing_done_fn *done);
/* The proxy is known to have it: only the wish is noted. */
void routing_hold(struct app *app, const char *path, const char *target,
    const json_t *data, int64_t id);
/* The wish stays, but nobody is told. */
void routing_forget(struct app *app, const char *path);

/*
 * Compare with what the proxy lists (proxy_list): what is missing or wrong is
 * sent again. `begin` as it is asked, `part` for each part of its answer, `end`
 * when all were told; a new `begin` forgets the one before. What was sent to
 * the proxy since `begin` is newer than the list. A person's route (member
 * "user") without a wish is shown to `stray`, which says whether it may be
 * deleted; a service's stays while the service is in doubt. Every other one of
 * a hub (member "jupyterhub") that nobody wishes for is deleted.
 */
typedef bool routing_stray_fn(struct app *app, const char *user,
    const char *server_name, const char *target);
void routing_compare_begin(struct app *app);
void routing_compare_part(
    struct app *app, const json_t *routes, routing_stray_fn *stray);
void routing_compare_end(struct app *app);
/* Requests under way. */
size_t routing_count_busy(const struct app *app);

#endif
