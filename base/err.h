/*
 * Errors as values. A function that can fail returns 0/-1 (finders 1/0/-1) and
 * fills a `struct err`; only an edge (an HTTP reply, a wire reply, an exit
 * code, a log line) turns it into text. Knows no product word.
 */
#ifndef CARREL_BASE_ERR_H
#define CARREL_BASE_ERR_H

#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

enum err_code {
	ERR_NONE = 0,
	ERR_INVALID,     /* the caller's input breaks a rule */
	ERR_NOT_FOUND,   /* the thing named does not exist */
	ERR_EXISTS,      /* it exists already */
	ERR_DENIED,      /* not permitted */
	ERR_BUSY,        /* in a state that forbids it now; may work later */
	ERR_LIMIT,       /* a bound was reached */
	ERR_TIMEOUT,     /* a deadline passed */
	ERR_UNAVAILABLE, /* a peer that is needed cannot be reached */
	ERR_PROTOCOL,    /* a peer said something that is not allowed */
	ERR_IO,          /* the operating system refused; sys_errno says why */
	ERR_CANCELLED,   /* somebody asked to stop */
	ERR_INTERNAL,    /* a bug of ours */
};

struct err {
	enum err_code code;
	int sys_errno;
	char text[480]; /* one line, for a person; never a secret */
};

/* Each returns -1, so that `return err_set(...)` reads well. `err` may be NULL.
 */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* ERR_IO with the present errno; its text is appended: "open x: No such file".
 */
int err_sys(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Put context before the text: "start alice: open x: ...". Keeps the code. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* So that the compiler knows the -1 as well, and sees what follows from it. */
static inline int err_minus_one(int result)
{
	(void)result;
	return -1;
}
#define err_set(...)  err_minus_one(err_set(__VA_ARGS__))
#define err_sys(...)  err_minus_one(err_sys(__VA_ARGS__))
#define err_wrap(...) err_minus_one(err_wrap(__VA_ARGS__))

void err_clear(struct err *err);
/* "invalid", "not_found", ...: a stable word for the wire and for logs. */
const char *err_code_name(enum err_code code);
/* The inverse; ERR_INTERNAL for an unknown word. */
enum err_code err_code_parse(const char *name);

#endif
