/*
 * What the access log is told: one line per exchange when it is over (a tunnel:
 * when it opens, with status 101), and one per head that could not be read.
 * Does nothing when there is no log. On the worker's thread.
 */
#ifndef CARREL_PROXY_ACCESS_NOTE_H
#define CARREL_PROXY_ACCESS_NOTE_H

struct conn;
struct exchange;

void access_note_exchange(const struct exchange *ex);
void access_note_refusal(const struct conn *c, int status);

#endif
