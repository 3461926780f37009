/*
 * The engine's line to its parent (docs/architecture.md "Proxy crash"): takes
 * what an engine before it has left, keeps the parent informed, hears signals
 * from it. Without a parent there is no lifeline. Tunnels go through hold.h.
 */
#ifndef CARREL_PROXY_LIFELINE_H
#define CARREL_PROXY_LIFELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "proxy/deposit.h"

struct lifeline;
struct page;
struct sockets;
struct table;
struct worker;

/* The descriptor of the socket pair, in the engine's environment. */
#define LIFELINE_ENV "CARREL_PROXY_PARENT"

/* Was this process started by a parent? */
bool lifeline_is_there(void);
/* Get all that the parent has for us (blocking). */
struct lifeline *lifeline_open(struct err *err);
/* Tell the parent nothing more about tunnels: it keeps what it has. */
void lifeline_mute(struct lifeline *l);
/* After the workers have ended. */
void lifeline_free(struct lifeline **l);
/* Did an engine before this one die? */
bool lifeline_is_recovery(const struct lifeline *l);
struct page *lifeline_page(struct lifeline *l);
/* The listening sockets of the engine before. */
struct sockets *lifeline_sockets(struct lifeline *l);
/*
 * When routes are loaded and before workers run: its tunnels into their boxes;
 * whose route has gone gets a cell without one.
 */
int lifeline_adopt(struct lifeline *l, struct table *t,
    struct worker *const *workers, size_t n_workers,
    struct err *err) MUST_CHECK;

struct lifeline_callbacks {
	void (*on_end)(void *arg);    /* SIGTERM or SIGINT */
	void (*on_reload)(void *arg); /* SIGHUP */
	void (*on_reopen)(void *arg); /* SIGUSR1 */
	void *arg;
};
/* From here on the loop listens. */
int lifeline_watch(struct lifeline *l, struct loop *loop,
    const struct lifeline_callbacks *cb, struct err *err) MUST_CHECK;

/* ---- the main thread ----------------------------------------------------- */

/* fd: borrowed. In force with DEPOSIT_READY. */
void lifeline_keep_socket(struct lifeline *l, int fd, enum parcel_listener kind,
    uint16_t port, const char *text);
/* READY, NO_WORD, NO_SOCKETS, LEFT, BYE */
void lifeline_say(struct lifeline *l, enum deposit_type type);
void lifeline_notify(struct lifeline *l, const char *text);
/* The word of a takeover that begins; fd: borrowed. */
void lifeline_word(struct lifeline *l, int fd);

/* ---- any thread ---------------------------------------------------------- */

/* As deposit_send of TUNNELS; -1: it will never work again. */
int lifeline_deposit(struct lifeline *l, const struct buf *items,
    const int *fds, size_t n_fds) MUST_CHECK;
/* The parent may let go of this tunnel, and the slot is free: it is told with
 * the next flush. */
void lifeline_drop(struct lifeline *l, uint32_t slot);
void lifeline_flush(struct lifeline *l);

#endif
