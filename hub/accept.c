/*
 * See accept.h. Qualities have at most three decimals (RFC 9110 12.4.2); what
 * is no number counts as 1.
 */
#include "hub/accept.h"

#include <stddef.h>

#include "base/str.h"

/* "0.25" -> 250. */
static int quality_of(struct slice q)
{
	int value = 0, digits = 0;

	if (q.len == 0 || (q.p[0] != '0' && q.p[0] != '1'))
		return 1000;
	value = (q.p[0] - '0') * 1000;
	for (size_t i = 2; i < q.len && digits < 3; i++, digits++) {
		static const int weight[] = { 100, 10, 1 };
		if (q.p[1] != '.' || q.p[i] < '0' || q.p[i] > '9')
			return 1000;
		value += (q.p[i] - '0') * weight[digits];
	}
	return value > 1000 ? 1000 : value;
}

struct wish {
	int quality; /* -1: not named */
	int place;
};

static void read_item(
    struct slice item, int place, struct wish *json, struct wish *html)
{
	struct slice type, param;
	int quality = 1000;

	if (!slice_split(&item, ';', &type))
		return;
	while (slice_split(&item, ';', &param)) {
		param = slice_trim(param);
		if (slice_starts(param, "q="))
			quality =
			    quality_of(slice_make(param.p + 2, param.len - 2));
	}
	type = slice_trim(type);
	if (slice_ieq(type, "application/json") && json->quality < quality)
		*json = (struct wish){ quality, place };
	if (slice_ieq(type, "text/html") && html->quality < quality)
		*html = (struct wish){ quality, place };
}

bool accept_wants_json(const char *accept)
{
	struct wish json = { -1, 0 }, html = { -1, 0 };
	struct slice rest = slice_of(accept ? accept : ""), item;

	for (int place = 0; slice_split(&rest, ',', &item); place++)
		read_item(item, place, &json, &html);
	if (json.quality <= 0)
		return false;
	return json.quality > html.quality ||
	       (json.quality == html.quality && json.place < html.place);
}
