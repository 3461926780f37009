/*
 * The door through which time enters: see clock.h.
 */
#include "base/clock.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define US_PER_S 1000000

/* Set before threads start and never while they run. */
static const struct clock_source *source;
static struct clock_source installed;

static int64_t kernel_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	if (source != NULL)
		return source->mono_us(source->arg);
	return kernel_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
	if (source != NULL)
		return source->wall_us(source->arg);
	return kernel_us(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

/* Rounds down, before 1970 too. */
static int64_t split_seconds(int64_t wall_us, int *us_out)
{
	int64_t us = wall_us % US_PER_S, s = wall_us / US_PER_S;

	if (us < 0) {
		us += US_PER_S;
		s--;
	}
	*us_out = (int)us;
	return s;
}

int64_t clock_wall_s(void)
{
	int us;

	return split_seconds(clock_wall_us(), &us);
}

void clock_set_source(const struct clock_source *src)
{
	source = NULL;
	if (src == NULL)
		return;
	installed = *src;
	source = &installed;
}

bool clock_is_simulated(void)
{
	return source != NULL;
}

struct sim {
	int64_t mono_us, wall_us;
};

static struct sim sim;

static int64_t sim_mono(void *arg)
{
	return ((struct sim *)arg)->mono_us;
}

static int64_t sim_wall(void *arg)
{
	return ((struct sim *)arg)->wall_us;
}

static void sim_advance(void *arg, int64_t us)
{
	struct sim *s = arg;

	s->mono_us += us;
	s->wall_us += us;
}

void clock_sim_start(int64_t wall_us)
{
	static const struct clock_source src = {
		.mono_us = sim_mono,
		.wall_us = sim_wall,
		.advance_us = sim_advance,
		.arg = &sim,
	};

	/* A machine that has been up for an hour: "an hour ago" exists. */
	sim.mono_us = (int64_t)3600 * US_PER_S;
	sim.wall_us = wall_us;
	clock_set_source(&src);
}

void clock_sim_advance_us(int64_t us)
{
	assert(us >= 0);
	assert(source != NULL && source->advance_us != NULL);
	source->advance_us(source->arg, us);
}

/* Years 1 to 9999: what the formats can say. */
#define WALL_S_MIN (-62135596800LL)
#define WALL_S_MAX 253402300799LL

static void civil(int64_t wall_s, struct tm *tm)
{
	time_t t = wall_s;

	if (t < WALL_S_MIN)
		t = WALL_S_MIN;
	if (t > WALL_S_MAX)
		t = WALL_S_MAX;
	gmtime_r(&t, tm);
}

static void put_digits(char *out, size_t width, int value)
{
	for (size_t i = width; i > 0; i--) {
		out[i - 1] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* "2026-01-02T03:04:05": 19 bytes without NUL. */
static void put_date_time(char *out, const struct tm *tm)
{
	memcpy(out, "0000-00-00T00:00:00", 19);
	put_digits(out, 4, tm->tm_year + 1900);
	put_digits(out + 5, 2, tm->tm_mon + 1);
	put_digits(out + 8, 2, tm->tm_mday);
	put_digits(out + 11, 2, tm->tm_hour);
	put_digits(out + 14, 2, tm->tm_min);
	put_digits(out + 17, 2, tm->tm_sec);
}

void clock_format_iso(int64_t wall_us, char out[CLOCK_ISO_MAX])
{
	struct tm tm;
	int us;

	civil(split_seconds(wall_us, &us), &tm);
	put_date_time(out, &tm);
	if (us == 0) {
		memcpy(out + 19, "Z", 2);
		return;
	}
	out[19] = '.';
	put_digits(out + 20, 6, us);
	memcpy(out + 26, "Z", 2);
}

void clock_format_iso_ms(int64_t wall_us, char out[CLOCK_ISO_MAX])
{
	struct tm tm;
	int us;

	civil(split_seconds(wall_us, &us), &tm);
	put_date_time(out, &tm);
	out[19] = '.';
	put_digits(out + 20, 3, us / 1000);
	memcpy(out + 23, "Z", 2);
}

void clock_format_http(int64_t wall_s, char out[30])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;

	civil(wall_s, &tm);
	memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", 30);
	memcpy(out, days + 3 * tm.tm_wday, 3);
	put_digits(out + 5, 2, tm.tm_mday);
	memcpy(out + 8, months + 3 * tm.tm_mon, 3);
	put_digits(out + 12, 4, tm.tm_year + 1900);
	put_digits(out + 17, 2, tm.tm_hour);
	put_digits(out + 20, 2, tm.tm_min);
	put_digits(out + 23, 2, tm.tm_sec);
}

/* Takes exactly `width` digits, a number from lo to hi, off *s. */
static bool take_digits(const char **s, int width, int lo, int hi, int *out)
{
	int value = 0;

	for (int i = 0; i < width; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		value = value * 10 + (**s - '0');
	}
	*out = value;
	return value >= lo && value <= hi;
}

static bool take_char(const char **s, const char *one_of)
{
	if (**s == '\0' || strchr(one_of, **s) == NULL)
		return false;
	(*s)++;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && is_leap);
}

static bool take_date(const char **s, struct tm *tm)
{
	int year, month, day;

	if (!take_digits(s, 4, 1, 9999, &year) || !take_char(s, "-") ||
	    !take_digits(s, 2, 1, 12, &month) || !take_char(s, "-") ||
	    !take_digits(s, 2, 1, days_in_month(year, month), &day))
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return true;
}

/* hh:mm:ss; a leap second counts as the first of the next minute. */
static bool take_time(const char **s, struct tm *tm)
{
	return take_digits(s, 2, 0, 23, &tm->tm_hour) && take_char(s, ":") &&
	       take_digits(s, 2, 0, 59, &tm->tm_min) && take_char(s, ":") &&
	       take_digits(s, 2, 0, 60, &tm->tm_sec);
}

/* ".678901": one to nine digits, those after the sixth are dropped. */
static bool take_fraction(const char **s, int64_t *us_out)
{
	int64_t scale = US_PER_S / 10;
	int n_digits = 0, digit;

	*us_out = 0;
	if (!take_char(s, "."))
		return true;
	for (; take_digits(s, 1, 0, 9, &digit); n_digits++, scale /= 10)
		*us_out += digit * scale;
	return n_digits >= 1 && n_digits <= 9;
}

/* Z, +hh:mm, +hhmm, -hh:mm or nothing (UTC). */
static bool take_offset(const char **s, int64_t *seconds_out)
{
	bool is_west = **s == '-';
	int hours, minutes;

	*seconds_out = 0;
	if (**s == '\0' || take_char(s, "Zz"))
		return true;
	if (!take_char(s, "+-") || !take_digits(s, 2, 0, 23, &hours))
		return false;
	(void)take_char(s, ":");
	if (!take_digits(s, 2, 0, 59, &minutes))
		return false;
	*seconds_out = hours * 3600 + minutes * 60;
	if (is_west)
		*seconds_out = -*seconds_out;
	return true;
}

int clock_parse_iso(const char *s, int64_t *wall_us, struct err *err)
{
	struct tm tm = { .tm_isdst = 0 };
	int64_t us, offset_s;
	const char *at = s;
	char shown[48];

	if (take_date(&at, &tm) && take_char(&at, "Tt ") &&
	    take_time(&at, &tm) && take_fraction(&at, &us) &&
	    take_offset(&at, &offset_s) && *at == '\0') {
		*wall_us = (timegm(&tm) - offset_s) * US_PER_S + us;
		return 0;
	}
	str_printable(shown, sizeof shown, s, strlen(s));
	return err_set(err, ERR_INVALID,
	    "\"%s\" is no time in UTC such as 2026-01-02T03:04:05Z", shown);
}
