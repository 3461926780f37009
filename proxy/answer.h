/*
 * The way back of an exchange: what the target answers, to the client.
 */
#ifndef CARREL_PROXY_ANSWER_H
#define CARREL_PROXY_ANSWER_H

#include <stdbool.h>

struct exchange;

/* Read from the target and send on. true: something moved. May free ex. */
bool answer_pump(struct exchange *ex);
/*
 * The answer cannot be completed although its head is out: end it so that the
 * client can tell. Frees ex.
 */
void answer_break(struct exchange *ex);

#endif
