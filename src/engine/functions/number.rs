//! Functions of numbers.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::DataFusionError;

use super::{Argument, Function, Nulls, downcast};

pub(super) static PART: Function = Function {
    name: "part",
    arguments: &[("n", Argument::Number), ("base", Argument::Number)],
    returns: || DataType::Float64,
    nulls: Nulls::Always,
    run: part,
    description: "The share of a number in a base, between 0 and 1, not rounded; null when there is no base or the \
                  base is 0.",
    example: "SELECT part(count(*) FILTER (WHERE salaries > 0), count(salaries)) FROM reponses",
};

pub(super) static ARRONDI: Function = Function {
    name: "arrondi",
    arguments: &[("nombre", Argument::Number), ("decimales", Argument::Integer)],
    returns: || DataType::Float64,
    nulls: Nulls::OfArguments,
    run: arrondi,
    description: "The number rounded to so many decimals, half away from zero, as it is written with 15 digits: \
                  0.145 and 0.5 * 0.29 are rounded to 0.15, though the nearest binary numbers lie below. Negative \
                  decimals round to tens and hundreds.",
    example: "SELECT arrondi(0.145, 2) -- 0.15",
};

fn part(arrays: &[ArrayRef]) -> Result<ArrayRef, DataFusionError> {
    let numbers: &Float64Array = downcast(arrays, 0)?;
    let bases: &Float64Array = downcast(arrays, 1)?;
    let shares = numbers.iter().zip(bases).map(|pair| match pair {
        (Some(number), Some(base)) if base != 0.0 => Some(number / base),
        _ => None,
    });
    Ok(Arc::new(shares.collect::<Float64Array>()))
}

fn arrondi(arrays: &[ArrayRef]) -> Result<ArrayRef, DataFusionError> {
    let numbers: &Float64Array = downcast(arrays, 0)?;
    let digits: &Int64Array = downcast(arrays, 1)?;
    let rounded = numbers.iter().zip(digits).map(|(number, digits)| Some(round_half_up(number?, digits?)));
    Ok(Arc::new(rounded.collect::<Float64Array>()))
}

/// From here on a float has no decimals left to round.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// Powers of ten up to this are exact in a float.
const EXACT_POWER: i64 = 22;

fn round_half_up(number: f64, digits: i64) -> f64 {
    if !number.is_finite() || digits > EXACT_POWER {
        return number;
    }
    let Ok(power) = i32::try_from(digits.max(-EXACT_POWER)) else { return number };
    let scale = 10_f64.powi(power.abs());
    let scaled = if power < 0 { number / scale } else { number * scale };
    if scaled.abs() >= WHOLE {
        return number;
    }
    let below = scaled.abs().trunc();
    let rest = scaled.abs() - below;
    // Near the middle the product may lie on the wrong side: the number in decimals decides.
    let up = if (rest - 0.5).abs() > 1e-6 { rest > 0.5 } else { half_or_more(number.abs(), digits) };
    let whole = (below + f64::from(u8::from(up))).copysign(number);
    // Zero has no sign in a table.
    let whole = if whole == 0.0 { 0.0 } else { whole };
    if power < 0 { whole * scale } else { whole / scale }
}

/// Floats below this keep a decimal within 15 significant digits.
const FIFTEEN_DIGITS: f64 = 1e12;

/// Whether what follows the last kept digit is at least a half; it is known to be near to it.
fn half_or_more(number: f64, digits: i64) -> bool {
    // 15 significant digits are what every decimal survives a float with: what is beyond them is noise.
    let number = if number < FIFTEEN_DIGITS { format!("{number:.14e}").parse().unwrap_or(number) } else { number };
    let text = format!("{number}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let at = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(digits);
    let Ok(at) = usize::try_from(at) else { return false };
    whole.bytes().chain(fraction.bytes()).nth(at).is_some_and(|digit| digit >= b'5')
}
