/*
 * See multipart.h. A body is
 *   --B CRLF head CRLF CRLF value ( CRLF --B CRLF head CRLF CRLF value )*
 *   CRLF --B-- [CRLF]
 * where B is the boundary and each head names its field.
 */
#include "base/multipart.h"

#include <string.h>

#define BOUNDARY_MAX 70
#define HEAD_MAX     4096

static const char type_name[] = "multipart/form-data";

struct parser {
	struct arena *arena;
	struct slice rest;      /* of the body */
	struct slice delimiter; /* CRLF "--" boundary */
	struct url_pairs *out;
	size_t max;
	struct err *err;
};

/* The head of a part: what its Content-Disposition says. */
struct part {
	const char *name; /* NULL: nothing yet */
	bool is_file;
	bool has_filename; /* and it is not "" */
};

static int wrong(struct parser *p, const char *what)
{
	return err_set(p->err, ERR_INVALID, "multipart/form-data: %s", what);
}

static struct slice rest_after(struct slice s, size_t n)
{
	return slice_make(s.p + n, s.len - n);
}

/* 1 and takes it off, 0. */
static bool take(struct slice *s, const char *text)
{
	if (!slice_starts(*s, text))
		return false;
	*s = rest_after(*s, strlen(text));
	return true;
}

/* ---- parameters ---------------------------------------------------------- */

/* Quoted, \" and \\ being " and \; NULL: it does not end. */
static const char *take_quoted(struct parser *p, struct slice *s)
{
	char *out = arena_alloc(p->arena, s->len + 1);
	size_t n = 0, i = 1;

	for (; i < s->len && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' && i + 1 < s->len &&
		    (s->p[i + 1] == '"' || s->p[i + 1] == '\\'))
			i++;
		out[n++] = s->p[i];
	}
	if (i >= s->len)
		return NULL;
	*s = rest_after(*s, i + 1);
	return out;
}

static const char *take_value(struct parser *p, struct slice *s)
{
	size_t n = 0;

	if (s->len > 0 && s->p[0] == '"')
		return take_quoted(p, s);
	while (n < s->len && s->p[n] != ';' && s->p[n] != ' ' &&
	       s->p[n] != '\t' && s->p[n] != '"')
		n++;
	*s = rest_after(*s, n);
	return arena_strndup(p->arena, s->p - n, n);
}

/* ";name=value" from the front: 1, 0 at the end, -1. */
static int take_parameter(
    struct parser *p, struct slice *s, struct slice *name, const char **value)
{
	const char *equals;

	*s = slice_trim(*s);
	if (s->len == 0)
		return 0;
	if (!take(s, ";"))
		return -1;
	*s = slice_trim(*s);
	equals = memchr(s->p, '=', s->len);
	if (!equals)
		return -1;
	*name = slice_make(s->p, (size_t)(equals - s->p));
	*s = rest_after(*s, name->len + 1);
	*value = take_value(p, s);
	return *value ? 1 : -1;
}

/* ---- a part's head ------------------------------------------------------- */

static int read_disposition(
    struct parser *p, struct slice value, struct part *part)
{
	struct slice name;
	const char *text;
	int more;

	if (part->name || value.len < strlen("form-data") ||
	    !slice_ieq(slice_make(value.p, strlen("form-data")), "form-data"))
		return wrong(p, "a part is no field of a form");
	value = rest_after(value, strlen("form-data"));
	while ((more = take_parameter(p, &value, &name, &text)) > 0) {
		if (slice_ieq(name, "name") && !part->name) {
			part->name = text;
		} else if (slice_ieq(name, "name")) {
			return wrong(p, "a part has two names");
		} else if (slice_ieq(name, "filename") ||
			   slice_ieq(name, "filename*")) {
			part->is_file = true;
			part->has_filename = *text != '\0';
		}
	}
	if (more < 0 || !part->name)
		return wrong(p, "a part has no name that can be read");
	return 0;
}

static int read_line(struct parser *p, struct slice line, struct part *part)
{
	struct slice name;

	if (memchr(line.p, '\n', line.len) || memchr(line.p, '\r', line.len) ||
	    !memchr(line.p, ':', line.len) || !slice_split(&line, ':', &name))
		return wrong(p, "a part has a head that cannot be read");
	if (!slice_ieq(name, "Content-Disposition"))
		return 0;
	return read_disposition(p, slice_trim(line), part);
}

/* Up to and with the empty line. */
static int read_head(struct parser *p, struct part *part)
{
	const char *end = memmem(p->rest.p, p->rest.len, "\r\n\r\n", 4);
	struct slice head;

	if (!end || end - p->rest.p > HEAD_MAX)
		return wrong(p, "a part has no head, or a very long one");
	head = slice_make(p->rest.p, (size_t)(end - p->rest.p) + 2);
	p->rest = rest_after(p->rest, head.len + 2);
	while (head.len > 0) {
		const char *stop = memmem(head.p, head.len, "\r\n", 2);
		size_t len = (size_t)(stop - head.p);

		if (read_line(p, slice_make(head.p, len), part) != 0)
			return -1;
		head = rest_after(head, len + 2);
	}
	return part->name ? 0 : wrong(p, "a part has no name");
}

/* ---- parts --------------------------------------------------------------- */

static int add(struct parser *p, const struct part *part, struct slice value)
{
	struct url_pair *pair;

	if (part->is_file && !part->has_filename && value.len == 0)
		return 0;
	if (part->is_file)
		return wrong(p, "files are not taken");
	if (p->out->n == p->max)
		return err_set(p->err, ERR_LIMIT,
		    "more than %zu parameters are not accepted", p->max);
	if (!utf8_valid(part->name, strlen(part->name)) ||
	    !utf8_valid(value.p, value.len))
		return wrong(p, "a field is no text in UTF-8");
	pair = &p->out->items[p->out->n++];
	pair->name = part->name;
	pair->value = arena_strndup(p->arena, value.p, value.len);
	return 0;
}

static int read_part(struct parser *p)
{
	struct part part = { 0 };
	const char *end;
	size_t len;

	if (read_head(p, &part) != 0)
		return -1;
	end = memmem(p->rest.p, p->rest.len, p->delimiter.p, p->delimiter.len);
	if (!end)
		return wrong(p, "a part does not end");
	len = (size_t)(end - p->rest.p);
	if (add(p, &part, slice_make(p->rest.p, len)) != 0)
		return -1;
	p->rest = rest_after(p->rest, len + p->delimiter.len);
	return 0;
}

static int read_parts(struct parser *p)
{
	/* The first one has no CRLF in front. */
	if (!take(&p->rest, p->delimiter.p + 2))
		return wrong(p, "it does not begin with its boundary");
	while (take(&p->rest, "\r\n"))
		if (read_part(p) != 0)
			return -1;
	if (!take(&p->rest, "--"))
		return wrong(p, "a boundary has something behind it");
	(void)take(&p->rest, "\r\n");
	return p->rest.len == 0 ? 0 : wrong(p, "something comes after its end");
}

/* ---- the type ------------------------------------------------------------ */

static struct slice type_of(const char *content_type)
{
	struct slice rest = slice_of(content_type ? content_type : ""), first;

	return slice_split(&rest, ';', &first) ? slice_trim(first)
					       : slice_of("");
}

bool multipart_is_meant(const char *content_type)
{
	return slice_ieq(type_of(content_type), type_name);
}

static int read_boundary(struct parser *p, const char *content_type)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	    "'()+_,-./:=? ";
	struct slice s = slice_of(content_type), name;
	const char *semicolon = strchr(content_type, ';');
	const char *value, *found = NULL;
	size_t len;
	int more;

	s = rest_after(s, semicolon ? (size_t)(semicolon - s.p) : s.len);
	while ((more = take_parameter(p, &s, &name, &value)) > 0) {
		if (slice_ieq(name, "boundary") && found)
			return wrong(p, "there are two boundaries");
		if (slice_ieq(name, "boundary"))
			found = value;
	}
	len = found ? strlen(found) : 0;
	if (more < 0 || len == 0 || len > BOUNDARY_MAX ||
	    strspn(found, letters) != len || found[len - 1] == ' ')
		return wrong(p, "its boundary cannot be read");
	p->delimiter = slice_of(arena_printf(p->arena, "\r\n--%s", found));
	return 0;
}

int multipart_parse(struct arena *a, const char *content_type,
    struct slice body, size_t max_pairs, struct url_pairs *out, struct err *err)
{
	struct parser p = {
		.arena = a,
		.rest = body,
		.out = out,
		.max = max_pairs,
		.err = err,
	};

	memset(out, 0, sizeof *out);
	out->items = arena_array(a, max_pairs, sizeof *out->items);
	if (read_boundary(&p, content_type) != 0)
		return -1;
	return read_parts(&p);
}
