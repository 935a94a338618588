#include "codec/qm_date.h"

#include "base/qm_span.h"

enum {
    SECONDS_PER_DAY = 86400,
    OFFSET_WEST = -720,
    OFFSET_EAST = 840,
    DAYS_PER_ERA = 146097,   /* 400 years */
    DAYS_TO_1970 = 719468,   /* since 0000-03-01 */
    DAY_1900_01_01 = -25567, /* in days since 1970-01-01 */
    DAY_9999_12_31 = 2932896
};

struct civil {
    int year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
};

/*
 * The calendar date of a day counted from 1970-01-01. Years are taken to begin
 * in March, so that the leap day comes last: each month then starts at
 * (153 * m + 2) / 5 days.
 */
static struct civil civil_from_days(long days)
{
    long since = days + DAYS_TO_1970; /* positive from 1900 on */
    long era = since / DAYS_PER_ERA;
    long of_era = since % DAYS_PER_ERA;
    long year =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    long of_year = of_era - (365 * year + year / 4 - year / 100);
    long month = (5 * of_year + 2) / 153; /* 0 is March */
    struct civil date;

    date.day = (int)(of_year - (153 * month + 2) / 5 + 1);
    date.month = (int)(month < 10 ? month + 3 : month - 9);
    date.year = (int)(year + era * 400 + (date.month <= 2 ? 1 : 0));
    return date;
}

/* Writes `value` in exactly `width` digits, then `after`; returns the end. */
static char *put_number(char *out, int value, int width, char after)
{
    int i;

    for (i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    out[width] = after;
    return out + width + 1;
}

/* Writes the `index`-th three-letter name of a list, then `after`. */
static char *put_name(char *out, const char *names, int index, char after)
{
    memcpy(out, names + (size_t)index * 3, 3);
    out[3] = after;
    return out + 4;
}

static void write_date(char *out, long days, int second, int offset_minutes)
{
    struct civil date = civil_from_days(days);
    int zone = offset_minutes < 0 ? -offset_minutes : offset_minutes;
    /* 1970-01-01 was a Thursday; 7 * 4000 keeps the sum positive. */
    int weekday = (int)((days + 4 + 28000) % 7);

    out = put_name(out, "SunMonTueWedThuFriSat", weekday, ',');
    *out++ = ' ';
    out = put_number(out, date.day, 2, ' ');
    out = put_name(out, "JanFebMarAprMayJunJulAugSepOctNovDec", date.month - 1,
                   ' ');
    out = put_number(out, date.year, 4, ' ');
    out = put_number(out, second / 3600, 2, ':');
    out = put_number(out, second / 60 % 60, 2, ':');
    out = put_number(out, second % 60, 2, ' ');
    *out++ = offset_minutes < 0 ? '-' : '+';
    (void)put_number(out, zone / 60 * 100 + zone % 60, 4, '\0');
}

enum qm_err qm_date_format(int64_t seconds, int offset_minutes,
                           char out[QM_DATE_SIZE])
{
    int64_t first = (int64_t)DAY_1900_01_01 * SECONDS_PER_DAY;
    int64_t last = ((int64_t)DAY_9999_12_31 + 1) * SECONDS_PER_DAY - 1;
    int64_t shift = (int64_t)offset_minutes * 60;
    int64_t from_first;

    if (offset_minutes < OFFSET_WEST || offset_minutes > OFFSET_EAST) {
        return QM_E_SYNTAX;
    }
    if (seconds < first - shift || seconds > last - shift) {
        return QM_E_SYNTAX;
    }
    from_first = seconds + shift - first;
    write_date(out, (long)(from_first / SECONDS_PER_DAY) + DAY_1900_01_01,
               (int)(from_first % SECONDS_PER_DAY), offset_minutes);
    return QM_OK;
}
