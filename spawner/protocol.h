/*
 * What both sides of wire.def agree on beyond the messages.
 */
#ifndef CARREL_SPAWNER_PROTOCOL_H
#define CARREL_SPAWNER_PROTOCOL_H

/* Version of wire.def that this program speaks. */
#define PROTOCOL_VERSION 1

/* States of a connection, as bits (base/wire.h): before HELLO, and after. */
enum { WIRE_HELLO = 1, WIRE_UP = 2 };

#endif
