//! The proleptic Gregorian calendar (`java.time.LocalDate`), by arithmetic without bounds other than those of 64 bits; and
//! the one that is Julian up to 4 October 1582 (`java.util.GregorianCalendar`).

/// The year (astronomical: 0 is 1 BC), month and day of a day since 1970-01-01.
pub(crate) fn civil_of_day(day: i64) -> (i64, u32, u32) {
    // Counted in eras of 400 years that begin in March, so that a leap day is the last of its year.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

/// The day since 1970-01-01 of a date. Months and days beyond their ends run on.
pub(crate) fn day_of_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// 15 October 1582, the first day that the calendar of old texts counts as Gregorian.
const FIRST_GREGORIAN: i64 = -141_427;
/// 1 March of the Julian year 0.
const JULIAN_MARCH: i64 = -719_470;

/// The year, month and day of a day, by the Julian calendar if it is before the change.
pub(crate) fn civil_of_day_in_either(day: i64) -> (i64, u32, u32) {
    if day >= FIRST_GREGORIAN {
        return civil_of_day(day);
    }
    let shifted = day - JULIAN_MARCH;
    let year = (4 * shifted + 3).div_euclid(1461);
    let day_of_year = shifted - (1461 * year).div_euclid(4);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year + i64::from(month <= 2), u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

/// The day of a date, by the Julian calendar if that is before the change. Days beyond the end of the month run on.
pub(crate) fn day_of_civil_in_either(year: i64, month: u32, day: i64) -> i64 {
    let gregorian = day_of_civil(year, month, 1) + day - 1;
    if gregorian >= FIRST_GREGORIAN {
        return gregorian;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (i64::from(month) + 9) % 12;
    JULIAN_MARCH + (1461 * year).div_euclid(4) + (153 * month_from_march + 2) / 5 + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_days_are_julian() {
        assert_eq!(day_of_civil_in_either(5, 1, 1), -717_703);
        assert_eq!(day_of_civil_in_either(1582, 10, 15), FIRST_GREGORIAN);
        assert_eq!(civil_of_day_in_either(-717_703), (5, 1, 1));
        assert_eq!(civil_of_day_in_either(FIRST_GREGORIAN - 1), (1582, 10, 4));
        assert_eq!(civil_of_day_in_either(FIRST_GREGORIAN), (1582, 10, 15));
        for day in (-1_500_000..100_000).step_by(997) {
            let (year, month, of_month) = civil_of_day_in_either(day);
            assert_eq!(day_of_civil_in_either(year, month, i64::from(of_month)), day);
        }
    }
}
