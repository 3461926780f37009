/*
 * A spawner for tests: implements spawner/client.h without a socket. What the
 * hub sends goes to a hook; what the spawner says is said by calling the hub's
 * callbacks. One at a time: a new hub takes the place of the old one.
 */
#ifndef CARREL_TESTS_SIM_FAKE_SPAWNER_H
#define CARREL_TESTS_SIM_FAKE_SPAWNER_H

#include "spawner/client.h"

enum fake_message { FAKE_START, FAKE_STOP, FAKE_ACK, FAKE_LIST };

struct fake_spawner {
	struct spawner_callbacks cb; /* of the present hub */
	bool has_hub;
	bool is_up;
	enum err_code refuse; /* every send fails with it; ERR_NONE: none */
	/* start is NULL but for FAKE_START; key is "" for FAKE_LIST. */
	void (*sent)(enum fake_message what, const char *key,
	    const struct spawner_start *start);
};
extern struct fake_spawner fake_spawner;

/* The connection comes up, or is lost. */
void fake_spawner_up(void);
void fake_spawner_down(void);

#endif
