/*
 * What the API said, for people; see api.h.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub/cli/api.h"
#include "hub/cli/text.h"

bool api_wants_json(const struct api *api)
{
	return call_has(api->call, OPTION_JSON);
}

void api_print_json(const json_t *j)
{
	char *text = json_dumps(j, JSON_INDENT(2) | JSON_ENCODE_ANY);

	if (text)
		puts(text);
	free(text);
}

bool api_confirm(struct api *api, const char *fmt, ...)
{
	char line[16];
	va_list ap;

	if (call_has(api->call, OPTION_YES) || !isatty(STDIN_FILENO))
		return true;
	va_start(ap, fmt);
	const char *text = text_clean(
	    &api->arena, arena_vprintf(&api->arena, fmt, ap), TEXT_ONE_LINE);
	va_end(ap);
	fprintf(stderr, "%s [y/N] ", text);
	fflush(stderr);
	if (fgets(line, sizeof line, stdin) &&
	    (line[0] == 'y' || line[0] == 'Y'))
		return true;
	fprintf(stderr, "carrel: nothing was changed\n");
	return false;
}

static const char *list_text(struct api *api, const json_t *list)
{
	struct arena *a = &api->arena;
	const char *text = NULL;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *one = json_string_value(json_array_get(list, i));
		if (one)
			text = text ? arena_printf(a, "%s, %s", text, one)
				    : arena_strdup(a, one);
	}
	return text;
}

const char *api_text(struct api *api, const json_t *obj, const char *member)
{
	const json_t *v = json_object_get(obj, member);

	if (json_is_string(v))
		return arena_strdup(&api->arena, json_string_value(v));
	if (json_is_integer(v))
		return arena_printf(
		    &api->arena, "%lld", (long long)json_integer_value(v));
	if (json_is_array(v))
		return list_text(api, v);
	return json_is_true(v) ? "yes" : NULL;
}

const char *api_time(struct api *api, const json_t *obj, const char *member)
{
	const char *text = json_string_value(json_object_get(obj, member));

	if (!text || strlen(text) < 16 || text[10] != 'T')
		return NULL;
	return arena_printf(&api->arena, "%.10s %.5s", text, text + 11);
}

void api_say(struct api *api, const char *name, const char *text)
{
	if (text && *text)
		printf("%-15s%s\n", arena_printf(&api->arena, "%s:", name),
		    text_clean(&api->arena, text, TEXT_ONE_LINE));
}
