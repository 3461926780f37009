/*
 * Finding the keepers of earlier spawners again, under run-dir/servers.
 */
#ifndef CARREL_SPAWNER_ADOPT_H
#define CARREL_SPAWNER_ADOPT_H

#include "base/loop.h"
#include "spawner/fleet.h"

struct adopt {
	struct fleet *fleet;
	struct timer again;
};

/*
 * Every directory becomes a server of the fleet: one that runs, or one whose
 * end is to be reported. Directories without a state are looked at once more
 * after two seconds (their keeper may just have begun) and then removed. `a`
 * must live as long as the fleet.
 */
void adopt_all(struct adopt *a, struct fleet *fleet);
void adopt_stop(struct adopt *a);

#endif
