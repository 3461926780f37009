/*
 * The page: memory that the engine shares with its parent, so that what stands
 * in it is still there when the engine has died. A slot per tunnel says whether
 * bytes are in the engine's hands (read from one side, not yet written to the
 * other); an entry per route says when it was last used. Bytes of people are
 * never in it. The parent makes it, the engine maps it; slots and entries are
 * given out by the engine alone (any of its threads), and after a crash by the
 * next one, which first claims what is in use.
 */
#ifndef CARREL_PROXY_PAGE_H
#define CARREL_PROXY_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct page;

#define PAGE_NO_SLOT   UINT32_MAX
#define PAGE_SLOTS_MAX ((size_t)1 << 19)
#define PAGE_TIMES_MAX ((size_t)1 << 18)

typedef _Atomic uint32_t page_hand;
enum page_hand_value { PAGE_QUIET, PAGE_IN_HAND };

/* How often what happened, through all engines of one parent. */
struct page_counts {
	_Atomic uint64_t restarts, recovered, lost;
};

/* At most PAGE_SLOTS_MAX slots; memory is used as they are. */
struct page *page_make(size_t n_slots, struct err *err);
/* Takes fd, on failure too. ERR_PROTOCOL: that is no page. */
struct page *page_map(int fd, struct err *err);
void page_free(struct page **p);
int page_fd(const struct page *p);
size_t page_n_slots(const struct page *p);
struct page_counts *page_counts(struct page *p);
/* i < page_n_slots */
page_hand *page_hand_of(struct page *p, uint32_t i);

/* ---- the engine: slots --------------------------------------------------- */

/* A tunnel of the engine before has it. -1: there is no such slot, or twice. */
int page_slot_claim(struct page *p, uint32_t i, struct err *err) MUST_CHECK;
/* After the last claim, before the first take. */
void page_slots_open(struct page *p);
/* PAGE_NO_SLOT: none is free. */
uint32_t page_slot_take(struct page *p);
void page_slot_give(struct page *p, uint32_t i);

/* ---- the engine: when routes were used ----------------------------------- */

typedef _Atomic int64_t page_time;

/* Before the first route: note what the engine before wrote. */
void page_times_note(struct page *p);
/* When it saw this route used, or -1. */
int64_t page_time_before(const struct page *p, const char *key);
/* An entry for this route, the old one if there is one; NULL: none is free. */
page_time *page_time_take(struct page *p, const char *key);
void page_time_give(struct page *p, page_time *t);
/* After the last route: old entries that nobody took are free. */
void page_times_open(struct page *p);

#endif
