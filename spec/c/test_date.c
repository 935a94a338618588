#include "codec/qm_date.h"

#include "check.h"

struct vector {
    int64_t seconds;
    int offset_minutes;
    const char *text;
};

/* From Python's email.utils.format_datetime(). */
static const struct vector vectors[] = {
    { INT64_C(0), 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
    { INT64_C(-1), 0, "Wed, 31 Dec 1969 23:59:59 +0000" },
    { INT64_C(1795486167), 480, "Tue, 24 Nov 2026 10:09:27 +0800" },
    { INT64_C(951782400), 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
    { INT64_C(951868799), 0, "Tue, 29 Feb 2000 23:59:59 +0000" },
    { INT64_C(951868800), 0, "Wed, 01 Mar 2000 00:00:00 +0000" },
    { INT64_C(-2203977600), 0, "Wed, 28 Feb 1900 00:00:00 +0000" },
    { INT64_C(4107456000), 0, "Sun, 28 Feb 2100 00:00:00 +0000" },
    { INT64_C(4107542400), 0, "Mon, 01 Mar 2100 00:00:00 +0000" },
    { INT64_C(1700000000), 345, "Wed, 15 Nov 2023 03:58:20 +0545" },
    { INT64_C(1700000000), -210, "Tue, 14 Nov 2023 18:43:20 -0330" },
    { INT64_C(1700000000), -1, "Tue, 14 Nov 2023 22:12:20 -0001" },
    { INT64_C(1700000000), 1, "Tue, 14 Nov 2023 22:14:20 +0001" },
    { INT64_C(1700000000), -59, "Tue, 14 Nov 2023 21:14:20 -0059" },
    { INT64_C(1700000000), 840, "Wed, 15 Nov 2023 12:13:20 +1400" },
    { INT64_C(1700000000), -720, "Tue, 14 Nov 2023 10:13:20 -1200" },
    { INT64_C(253402300799), 0, "Fri, 31 Dec 9999 23:59:59 +0000" },
    { INT64_C(-2208988800), 0, "Mon, 01 Jan 1900 00:00:00 +0000" },
    { INT64_C(1330559999), 0, "Wed, 29 Feb 2012 23:59:59 +0000" },
    { INT64_C(86399), 1, "Fri, 02 Jan 1970 00:00:59 +0001" },
};

static bool same_date(int64_t seconds, int offset_minutes, const char *expected)
{
    char out[QM_DATE_SIZE];

    if (qm_date_format(seconds, offset_minutes, out) != QM_OK) {
        return false;
    }
    if (strcmp(out, expected) != 0) {
        printf("got [%s], expected [%s]\n", out, expected);
        return false;
    }
    return true;
}

static void known_dates(void)
{
    size_t i;

    for (i = 0; i < QM_COUNTOF(vectors); i++) {
        CHECK(same_date(vectors[i].seconds, vectors[i].offset_minutes,
                        vectors[i].text));
    }
}

static bool is_refused(int64_t seconds, int offset_minutes)
{
    char out[QM_DATE_SIZE];

    return qm_date_format(seconds, offset_minutes, out) == QM_E_SYNTAX;
}

/* The year counts as it is written, in local time. */
static void limits(void)
{
    int64_t first = INT64_C(-2208988800); /* 1900-01-01 00:00:00 */
    int64_t last = INT64_C(253402300799); /* 9999-12-31 23:59:59 */

    CHECK(!is_refused(first, 0));
    CHECK(is_refused(first - 1, 0));
    CHECK(!is_refused(first - 3600, 60));
    CHECK(is_refused(first, -1));
    CHECK(!is_refused(last, 0));
    CHECK(is_refused(last + 1, 0));
    CHECK(!is_refused(last + 60, -1));
    CHECK(is_refused(last, 1));
    CHECK(is_refused(INT64_MAX, 0) && is_refused(INT64_MAX, 840));
    CHECK(is_refused(INT64_MIN, 0) && is_refused(INT64_MIN, -720));
}

static void offset_limits(void)
{
    CHECK(!is_refused(0, -720) && !is_refused(0, 840));
    CHECK(is_refused(0, -721) && is_refused(0, 841));
    CHECK(is_refused(0, 2147483647) && is_refused(0, -2147483647 - 1));
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    return days[month] + (month == 1 && is_leap(year) ? 1 : 0);
}

/* Counts every day from 1900 to 9999 and compares. */
static void every_day(void)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char weekdays[] = "MonTueWedThuFriSatSun";
    int64_t seconds = INT64_C(-2208988800);
    unsigned weekday = 0; /* 1900-01-01 was a Monday */
    int year;

    for (year = 1900; year <= 9999; year++) {
        int month = 0;
        int day = 1;

        while (month < 12) {
            char expected[64];

            (void)snprintf(expected, sizeof(expected),
                           "%.3s, %02d %.3s %04d 00:00:00 +0000",
                           weekdays + weekday * 3, day, months + month * 3,
                           year);
            CHECK(same_date(seconds, 0, expected));
            seconds += 86400;
            weekday = (weekday + 1) % 7;
            day++;
            if (day > days_in_month(year, month)) {
                day = 1;
                month++;
            }
        }
    }
    CHECK(seconds == INT64_C(253402300800));
}

int main(void)
{
    TEST(known_dates);
    TEST(limits);
    TEST(offset_limits);
    TEST(every_day);
    return check_done();
}
