/* Dates of HTTP (RFC 9110 section 5.6.7). In: seconds since 1970, or text; out: the other. The
 * calendar is the Gregorian one, also for times before it. Must not know what a date is for. */
#include "wire/http_date.h"

#include <string.h>

enum { DAY_SECONDS = 86400, EPOCH_DAYS = 719162 /* from the year 1 to 1970 */, YEAR_MAX = 9999 };

static const char DAYS[7][10] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                 "Friday", "Saturday", "Sunday"};
static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* month is 0 to 11. */
struct date {
  int year, month, day, hour, minute, second;
};

/* ---- the calendar */

static bool is_leap(int year)
{
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* The days from the first of January of the year 1 to that of a year. */
static int days_before_year(int year)
{
  int past = year - 1;
  return past * 365 + past / 4 - past / 100 + past / 400;
}

/* The days from the year's first to a month's, which may be that of the next January. */
static int days_before_month(int year, int month)
{
  static const short before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
  return before[month] + (month > 1 && is_leap(year));
}

static int64_t seconds_of(const struct date *date)
{
  int64_t days = days_before_year(date->year) + days_before_month(date->year, date->month) +
                 date->day - 1 - EPOCH_DAYS;
  return days * DAY_SECONDS + date->hour * 3600 + date->minute * 60 + date->second;
}

/* The days since the year 1, and the seconds of the day. */
static int split(int64_t seconds, int *of_day)
{
  const int64_t first = (int64_t)-EPOCH_DAYS * DAY_SECONDS;
  const int64_t last = first + (int64_t)days_before_year(YEAR_MAX + 1) * DAY_SECONDS - 1;
  seconds = seconds < first ? first : seconds > last ? last : seconds;
  *of_day = (int)((seconds - first) % DAY_SECONDS);
  return (int)((seconds - first) / DAY_SECONDS);
}

static struct date date_of(int days, int of_day)
{
  struct date date = {.hour = of_day / 3600, .minute = of_day / 60 % 60, .second = of_day % 60};
  date.year = days / 366 + 1; /* or later */
  while (days_before_year(date.year + 1) <= days)
    date.year++;
  days -= days_before_year(date.year);
  while (days_before_month(date.year, date.month + 1) <= days)
    date.month++;
  date.day = days - days_before_month(date.year, date.month) + 1;
  return date;
}

/* ---- writing */

static char *put(char *out, const char *text, size_t len)
{
  memcpy(out, text, len);
  return out + len;
}

static char *put_number(char *out, int number, int digits, char behind)
{
  for (int i = digits; i > 0; number /= 10)
    out[--i] = (char)('0' + number % 10);
  out[digits] = behind;
  return out + digits + 1;
}

void weir__http_date_format(int64_t seconds, char out[WEIR__HTTP_DATE_LEN + 1])
{
  int of_day, days = split(seconds, &of_day);
  struct date date = date_of(days, of_day);
  out = put(out, DAYS[days % 7], 3);
  out = put(out, ", ", 2);
  out = put_number(out, date.day, 2, ' ');
  out = put(out, MONTHS + 3 * date.month, 3);
  out = put(out, " ", 1);
  out = put_number(out, date.year, 4, ' ');
  out = put_number(out, date.hour, 2, ':');
  out = put_number(out, date.minute, 2, ':');
  out = put_number(out, date.second, 2, ' ');
  put(out, "GMT", 4);
}

/* ---- reading: each takes from the front, or finds the text bad and takes nothing more */

struct reader {
  struct weir_slice rest;
  bool bad;
};

static bool take(struct reader *reader, const char *text, size_t len)
{
  if (reader->bad || reader->rest.len < len || memcmp(reader->rest.data, text, len) != 0)
    return false;
  reader->rest = (struct weir_slice){reader->rest.data + len, reader->rest.len - len};
  return true;
}

static void expect(struct reader *reader, const char *text)
{
  reader->bad = !take(reader, text, strlen(text));
}

static int take_number(struct reader *reader, size_t digits)
{
  int number = 0;
  if (reader->rest.len < digits)
    reader->bad = true;
  for (size_t i = 0; i < digits && !reader->bad; i++) {
    unsigned digit = (unsigned char)reader->rest.data[i] - (unsigned)'0';
    reader->bad = digit > 9;
    number = number * 10 + (int)digit;
  }
  if (reader->bad)
    return 0;
  reader->rest = (struct weir_slice){reader->rest.data + digits, reader->rest.len - digits};
  return number;
}

/* The day's name, whole or its first three letters. */
static void take_weekday(struct reader *reader, bool whole)
{
  for (int i = 0; i < 7; i++)
    if (take(reader, DAYS[i], whole ? strlen(DAYS[i]) : 3))
      return;
  reader->bad = true;
}

static int take_month(struct reader *reader)
{
  for (int i = 0; i < 12; i++)
    if (take(reader, MONTHS + 3 * i, 3))
      return i;
  reader->bad = true;
  return 0;
}

static void take_time(struct reader *reader, struct date *date)
{
  date->hour = take_number(reader, 2);
  expect(reader, ":");
  date->minute = take_number(reader, 2);
  expect(reader, ":");
  date->second = take_number(reader, 2);
}

/* ", 06 Nov 1994 08:49:37 GMT", with this between the date's parts and so many digits of a year. */
static void take_rest(struct reader *reader, struct date *date, const char *between, size_t digits)
{
  expect(reader, ", ");
  date->day = take_number(reader, 2);
  expect(reader, between);
  date->month = take_month(reader);
  expect(reader, between);
  date->year = take_number(reader, digits);
  expect(reader, " ");
  take_time(reader, date);
  expect(reader, " GMT");
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static void read_fixdate(struct reader *reader, struct date *date)
{
  take_weekday(reader, false);
  take_rest(reader, date, " ", 4);
}

/* "Sun Nov  6 08:49:37 1994" */
static void read_asctime(struct reader *reader, struct date *date)
{
  take_weekday(reader, false);
  expect(reader, " ");
  date->month = take_month(reader);
  expect(reader, " ");
  date->day = take_number(reader, take(reader, " ", 1) ? 1 : 2);
  expect(reader, " ");
  take_time(reader, date);
  expect(reader, " ");
  date->year = take_number(reader, 4);
}

/* The latest year of its last two digits in which the date is at most 50 years from now. */
static int find_century(struct date date, int64_t now)
{
  int of_day, days = split(now, &of_day);
  struct date horizon = date_of(days, of_day);
  horizon.year += 50;
  date.year += horizon.year / 100 * 100;
  return seconds_of(&date) > seconds_of(&horizon) ? date.year - 100 : date.year;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static void read_rfc850(struct reader *reader, struct date *date, int64_t now)
{
  take_weekday(reader, true);
  take_rest(reader, date, "-", 2);
  date->year = find_century(*date, now);
}

/* A minute may have a leap second, which is the next minute's first. */
static bool is_date(const struct date *date)
{
  return date->year > 0 && date->day > 0 &&
         date->day <= days_before_month(date->year, date->month + 1) -
                          days_before_month(date->year, date->month) &&
         date->hour < 24 && date->minute < 60 && date->second <= 60;
}

bool weir__http_date_parse(struct weir_slice text, int64_t now, int64_t *seconds)
{
  struct reader reader = {text, false};
  struct date date = {0};
  if (text.len > 3 && text.data[3] == ',')
    read_fixdate(&reader, &date);
  else if (text.len > 3 && text.data[3] == ' ')
    read_asctime(&reader, &date);
  else
    read_rfc850(&reader, &date, now);
  if (reader.bad || reader.rest.len > 0 || !is_date(&date))
    return false;
  *seconds = seconds_of(&date);
  return true;
}
