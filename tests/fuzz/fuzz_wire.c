/*
 * Any bytes as a packet between two of our programs: json_parse, then
 * wire_check against a table with every type of member. What was taken must
 * survive being written and read again.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/wire.h"

static const struct wire_member every_type[] = {
	{ "text", WIRE_STR, true, 1, 8 },
	{ "number", WIRE_INT, true, -5, 1000 },
	{ "flag", WIRE_BOOL, false, 0, 0 },
	{ "object", WIRE_OBJ, false, 0, 0 },
	{ "list", WIRE_LIST, false, 0, 4 },
	{ 0 },
};

static int never(struct wire *w, const json_t *msg, int *fds, size_t n_fds,
    void *arg, struct err *err)
{
	(void)w;
	(void)msg;
	(void)fds;
	(void)n_fds;
	(void)arg;
	(void)err;
	abort();
}

static const struct wire_message table[] = {
	{ "HELLO", 1, NULL, 0, never },
	{ "START", 2, every_type, 1, never },
	{ "STOP", 3, every_type, 0, never },
};
#define N_MESSAGES (sizeof table / sizeof *table)

static void check_taken(const json_t *msg, const struct wire_message *entry)
{
	struct err err;
	const char *text;
	json_t *again;
	size_t len;
	char *packet;

	if (entry->members) {
		assert(json_get_str(msg, "text", 8, &text, &err) == 1);
		assert(strlen(text) >= 1);
	}
	packet = json_text(msg, &len);
	if (json_parse(packet, len, &again, &err) != 0)
		abort();
	assert(json_equal(msg, again));
	json_decref(again);
	free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct wire_message *entry;
	struct err err;
	json_t *msg;

	if (size > WIRE_PACKET_MAX ||
	    json_parse((const char *)data, size, &msg, &err) != 0)
		return 0;
	for (uint32_t state = 1; state <= 2; state++) {
		if (wire_check(table, N_MESSAGES, state, msg, &entry, &err) ==
		    0)
			check_taken(msg, entry);
	}
	json_decref(msg);
	return 0;
}
