use bytes::Bytes;
use jiff::Timestamp;

use super::parse_date;
use crate::json::{FromJson, string};

impl FromJson for bool {
    fn read(json: &str, _: &Bytes) -> Option<Self> {
        json.parse().ok()
    }
}

/// A number, or a number in a string, as Twenty sends NUMERIC and bigint columns.
impl FromJson for f64 {
    fn read(json: &str, _: &Bytes) -> Option<Self> {
        let text = string(json).unwrap_or(json.into());
        text.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// Like `f64`. A number with a fraction is not accepted, and not rounded.
impl FromJson for i64 {
    fn read(json: &str, _: &Bytes) -> Option<Self> {
        let text = string(json).unwrap_or(json.into());
        // `240.0` and `"1250000000000.00"` are whole numbers too.
        let whole = match text.split_once('.') {
            Some((whole, zeros)) if zeros.bytes().all(|digit| digit == b'0') => whole,
            _ => &text,
        };
        whole.parse().ok()
    }
}

impl FromJson for Timestamp {
    fn read(json: &str, _: &Bytes) -> Option<Self> {
        parse_date(&string(json)?)
    }
}
