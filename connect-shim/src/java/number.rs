//! Floating-point numbers as Java writes them (`Double.toString`, `Float.toString`): digits that read back,
//! with an exponent below 10⁻³ and from 10⁷ on.

use std::fmt::Write;

use super::floating_decimal::{digits_of_double, digits_of_float};

/// Appends a double.
pub fn write_double(out: &mut String, value: f64) {
    write_number(out, value, || digits_of_double(value.abs()));
}

/// Appends a float.
pub fn write_float(out: &mut String, value: f32) {
    write_number(out, value.into(), || digits_of_float(value.abs()));
}

/// Appends a number, for whose digits it asks only if it has some.
fn write_number(out: &mut String, value: f64, digits: impl FnOnce() -> (String, i32)) {
    if value.is_nan() {
        out.push_str("NaN");
        return;
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    if value.is_infinite() {
        out.push_str("Infinity");
    } else if value == 0.0 {
        out.push_str("0.0");
    } else {
        let (digits, exponent) = digits();
        write_digits(out, &digits, exponent);
    }
}

/// Writes digits, of which the first stands before the point, and a power of ten.
fn write_digits(out: &mut String, digits: &str, exponent: i32) {
    match exponent {
        -3..=-1 => {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', exponent.unsigned_abs() as usize - 1));
            out.push_str(digits);
        }
        0..=6 => {
            let whole = exponent.unsigned_abs() as usize + 1;
            for at in 0..whole {
                out.push(digits.as_bytes().get(at).map_or('0', |digit| char::from(*digit)));
            }
            out.push('.');
            out.push_str(digits.get(whole..).filter(|rest| !rest.is_empty()).unwrap_or("0"));
        }
        _ => {
            let rest = if digits.len() > 1 { &digits[1..] } else { "0" };
            let _ = write!(out, "{}.{rest}E{exponent}", &digits[..1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(value: f64) -> String {
        let mut out = String::new();
        write_double(&mut out, value);
        out
    }

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (12.5, "12.5"),
            (0.001, "0.001"),
            (0.012, "0.012"),
            (9.99e-4, "9.99E-4"),
            (1_234_567.0, "1234567.0"),
            (9_999_999.5, "9999999.5"),
            (1e7, "1.0E7"),
            (1.5e300, "1.5E300"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::NAN, "NaN"),
            (-f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (100.0, "100.0"),
        ];
        for (value, text) in cases {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn floats_have_their_own_shortest_digits() {
        let mut out = String::new();
        write_float(&mut out, 0.1);
        out.push(' ');
        write_float(&mut out, 3.4e38);
        out.push(' ');
        write_float(&mut out, f32::NEG_INFINITY);
        assert_eq!(out, "0.1 3.4E38 -Infinity");
    }
}
