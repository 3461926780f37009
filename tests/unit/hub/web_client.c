/*
 * Raw HTTP clients of the hub under test, in its own loop, and what their
 * answers say. Included by web_fixture.c.
 */
struct answer {
	int status;
	char *text, *body;
};

static struct answer answer;

static void answer_free(void)
{
	free(answer.text);
	answer = (struct answer){ 0 };
}

struct call {
	int fd;
	struct buf in;
	bool is_over;
};

static inline struct call call_begin(const char *listener, const char *request)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct call c = { .fd =
			      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	size_t len = strlen(request);

	buf_init(&c.in, (size_t)4 << 20);
	snprintf(
	    sa.sun_path, sizeof sa.sun_path, "%s/%s", web_dir.path, listener);
	assert_int_equal(connect(c.fd, (struct sockaddr *)&sa, sizeof sa), 0);
	while (len > 0) {
		ssize_t n =
		    send(c.fd, request, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			request += n;
			len -= (size_t)n;
		} else if (n < 0 && errno != EAGAIN) {
			break;
		}
		loop_turn(app.loop, 0);
	}
	settle();
	return c;
}

static inline void call_turn(struct call *c)
{
	char part[16384];
	ssize_t n;

	loop_turn(app.loop, 1);
	while ((n = recv(c->fd, part, sizeof part, MSG_DONTWAIT)) > 0)
		buf_append(&c->in, part, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		c->is_over = true;
}

/* Has `text` come? Turns the loop for a while until it has. */
static inline bool call_hears(struct call *c, const char *text)
{
	for (int i = 0; i < WEB_WAIT_MS && !c->is_over; i++) {
		if (strstr(buf_view(&c->in), text))
			return true;
		call_turn(c);
	}
	return strstr(buf_view(&c->in), text) != NULL;
}

/* Nothing has come after a while. */
static inline bool call_waits(struct call *c)
{
	for (int i = 0; i < 20; i++)
		call_turn(c);
	return c->in.len == 0 && !c->is_over;
}

static inline struct answer *call_end(struct call *c)
{
	for (int i = 0; i < WEB_WAIT_MS && !c->is_over; i++)
		call_turn(c);
	assert_true(c->is_over);
	close(c->fd);
	answer_free();
	answer.text = c->in.len ? buf_steal(&c->in) : xstrdup("");
	buf_fini(&c->in);
	if (sscanf(answer.text, "HTTP/1.1 %d", &answer.status) != 1)
		fail_msg("no answer: %s", answer.text);
	answer.body = strstr(answer.text, "\r\n\r\n");
	if (answer.body)
		answer.body += 4;
	return &answer;
}

/* Who waits is watched for it after a moment only (base/httpd.c). */
#define WATCHED_AFTER_MS 21

static inline void call_drop(struct call *c)
{
	close(c->fd);
	buf_fini(&c->in);
	advance(WATCHED_AFTER_MS);
}

/* `headers` are whole lines ending in CRLF. */
static inline char *request_text(const char *method, const char *target,
    const char *headers, const char *body)
{
	if (!body)
		return xasprintf("%s %s HTTP/1.1\r\nHost: hub\r\n"
				 "Connection: close\r\n%s\r\n",
		    method, target, headers);
	return xasprintf("%s %s HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n"
			 "Content-Length: %zu\r\n%s\r\n%s",
	    method, target, strlen(body), headers, body);
}

static inline struct call request_begin(const char *method, const char *target,
    const char *headers, const char *body)
{
	char *text = request_text(method, target, headers, body);
	struct call c = call_begin("proxy", text);

	free(text);
	return c;
}

static inline struct answer *request(const char *method, const char *target,
    const char *headers, const char *body)
{
	struct call c = request_begin(method, target, headers, body);

	return call_end(&c);
}

/* The value of the n-th header of that name, until the next call; NULL. */
static inline const char *header_n(
    const struct answer *a, const char *name, size_t n)
{
	static char value[8192];
	size_t len = strlen(name);

	for (const char *p = strstr(a->text, "\r\n"); p && p + 4 < a->body;
	     p = strstr(p + 2, "\r\n")) {
		if (strncasecmp(p + 2, name, len) != 0 || p[2 + len] != ':')
			continue;
		if (n-- > 0)
			continue;
		const char *v = p + 2 + len + 1;
		v += strspn(v, " ");
		snprintf(value, sizeof value, "%.*s", (int)strcspn(v, "\r"), v);
		return value;
	}
	return NULL;
}

static inline const char *header(const struct answer *a, const char *name)
{
	return header_n(a, name, 0);
}

static inline void assert_header(
    const struct answer *a, const char *name, const char *want)
{
	const char *got = header(a, name);

	if (!got)
		fail_msg("no header %s in:\n%s", name, a->text);
	assert_string_equal(got, want);
}

static inline void assert_answer(
    const struct answer *a, int status, const char *says)
{
	if (a->status != status || (says && !strstr(a->body, says)))
		fail_msg("wanted %d \"%s\", got:\n%s", status, says ? says : "",
		    a->text);
}

/* {"status": .., "message": ..} (contract/hub.md 0.4) */
static inline void assert_api_error(
    const struct answer *a, int status, const char *message)
{
	json_t *j = json_loads(a->body, 0, NULL);

	if (a->status != status || !j)
		fail_msg("wanted %d, got:\n%s", status, a->text);
	assert_int_equal(
	    json_integer_value(json_object_get(j, "status")), status);
	const char *got = json_string_value(json_object_get(j, "message"));
	if (!got || (message && !strstr(got, message)))
		fail_msg(
		    "wanted \"%s\", got %s", message ? message : "", a->body);
	json_decref(j);
}
