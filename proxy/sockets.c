/*
 * Listening sockets that came over: see sockets.h.
 */
#include "proxy/sockets.h"

#include <stdlib.h>

#include "base/fd.h"
#include "base/mem.h"

int sockets_add(struct sockets *s, int fd, enum parcel_listener kind,
    uint16_t port, struct slice text, struct err *err)
{
	if (s->n == SOCKETS_MAX) {
		fd_close(&fd);
		return err_set(err, ERR_LIMIT,
		    "more than %d listening sockets came over", SOCKETS_MAX);
	}
	s->items = xreallocarray(s->items, s->n + 1, sizeof *s->items);
	s->items[s->n++] = (struct socket_item){
		.fd = fd,
		.kind = kind,
		.port = port,
		.text = xstrndup(text.p, text.len),
	};
	return 0;
}

int sockets_take(struct sockets *s, enum parcel_listener kind, uint16_t port,
    const char *text)
{
	for (size_t i = 0; i < s->n; i++) {
		struct socket_item *it = &s->items[i];
		int fd = it->fd;

		if (fd < 0 || it->kind != kind || !str_eq(it->text, text) ||
		    (port != 0 && it->port != port))
			continue;
		it->fd = -1;
		return fd;
	}
	return -1;
}

void sockets_clear(struct sockets *s)
{
	for (size_t i = 0; i < s->n; i++) {
		fd_close(&s->items[i].fd);
		free(s->items[i].text);
	}
	free(s->items);
	*s = (struct sockets){ .n = 0 };
}
