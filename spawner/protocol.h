/*
 * What both sides of wire.def agree on beyond the messages.
 */
#ifndef CARREL_SPAWNER_PROTOCOL_H
#define CARREL_SPAWNER_PROTOCOL_H

/*
 * Version of wire.def that this program speaks; one that speaks less is not
 * spoken with, for a restart of either side hurts nobody.
 * 2: READY. Without it a hub would have to guess whose listener answers.
 * 3: START_SERVICE, which an older spawner takes for an attack.
 * 4: `tls` of START. An older spawner would start it without.
 * 5: `visit` of START, an unknown member for an older spawner.
 */
#define PROTOCOL_VERSION 5

/* States of a connection, as bits (base/wire.h): before HELLO, and after. */
enum { WIRE_HELLO = 1, WIRE_UP = 2 };

#endif
