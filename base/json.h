/*
 * JSON by jansson, with the checks that every border needs: size, depth,
 * duplicate keys, UTF-8, NUL; and typed getters whose errors name the member.
 */
#ifndef CARREL_BASE_JSON_H
#define CARREL_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define JSON_DEPTH_MAX 32

/*
 * Any JSON value. Refuses (ERR_INVALID) duplicate keys, depth over
 * JSON_DEPTH_MAX, NUL in strings, trailing bytes. *out is a new reference.
 */
int json_parse(
    const char *p, size_t len, json_t **out, struct err *err) MUST_CHECK;
/*
 * The members of a long object, some at a time: who parses all of it at once
 * keeps the loop from everything else. The text is borrowed. 1 with *out, a new
 * reference to an object of the next `max` members; 0: that was all; -1 as
 * json_parse, also after some were given. A member that occurs twice is not
 * found when it is not among the same ones.
 */
struct json_parts {
	struct slice rest;
	bool is_begun, is_over;
};
void json_parts_init(struct json_parts *parts, const char *p, size_t len);
int json_parts_next(struct json_parts *parts, size_t max, json_t **out,
    struct err *err) MUST_CHECK;
/* Compact text, malloc'ed. */
char *json_text(const json_t *j, size_t *len_out);

/*
 * Members of an object: 1 present, 0 absent or null, -1 wrong type or range
 * (the text says `member "x" must be ...`). Strings are borrowed from obj.
 */
int json_get_str(const json_t *obj, const char *key, size_t max_len,
    const char **out, struct err *err) MUST_CHECK;
int json_get_int(const json_t *obj, const char *key, int64_t lo, int64_t hi,
    int64_t *out, struct err *err) MUST_CHECK;
int json_get_bool(
    const json_t *obj, const char *key, bool *out, struct err *err) MUST_CHECK;
int json_get_obj(const json_t *obj, const char *key, json_t **out,
    struct err *err) MUST_CHECK;
int json_get_array(const json_t *obj, const char *key, size_t max_items,
    json_t **out, struct err *err) MUST_CHECK;
/* ERR_INVALID naming the first key that is not in the NULL-ended list. */
int json_only_keys(
    const json_t *obj, const char *const *keys, struct err *err) MUST_CHECK;

#endif
