use std::fmt;

use super::object::object;
use crate::json::string;

object! {
    /// An amount of money.
    ///
    /// ```
    /// use twenty_webhook_core::WebhookEvent;
    /// use twenty_webhook_core::records::Opportunity;
    ///
    /// let body = r#"{"eventName":"opportunity.created","record":{"amount":{"amountMicros":"48000500000","currencyCode":"EUR"}}}"#;
    /// let deal: Opportunity = WebhookEvent::from_stored(body)?.record()?;
    /// let amount = deal.amount.unwrap();
    /// assert_eq!(amount.amount_micros, Some(48_000_500_000));
    /// assert_eq!(amount.decimal().as_deref(), Some("48000.50"));
    /// assert_eq!(amount.to_string(), "48000.50 EUR");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub struct Currency {
        /// Millionths: 1 000 000 is 1 EUR. Twenty 2 sends a number, older versions a number in a string, which can contain fractions of a
        /// millionth. This is then `None`, `extra` has the text as sent, and [`decimal`](Self::decimal) has the exact amount.
        amount_micros: Option<i64> = "amountMicros",
        /// The ISO 4217 code. Empty if no currency was chosen.
        currency_code: Option<String> = "currencyCode",
    }
}

impl Currency {
    /// The exact amount in whole units, with two or more decimals.
    pub fn decimal(&self) -> Option<String> {
        let micros = self.amount_micros.map(|micros| micros.to_string()).or_else(|| {
            let json = self.extra.get("amountMicros")?.as_str();
            Some(string(json).unwrap_or(json.into()).into_owned())
        })?;
        let (sign, micros) = micros.strip_prefix('-').map_or(("", &*micros), |micros| ("-", micros));
        let (whole, fraction) = micros.split_once('.').unwrap_or((micros, ""));
        let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let padded = format!("{whole:0>7}");
        let (units, millionths) = padded.split_at(padded.len() - 6);
        let decimals = format!("{millionths}{fraction}");
        let (cents, rest) = decimals.split_at(2);
        Some(format!("{sign}{units}.{cents}{}", rest.trim_end_matches('0')))
    }
}

/// `48000.50 EUR`, or nothing without an amount.
impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.decimal().unwrap_or_default();
        match self.currency_code.as_deref() {
            Some(code) if !amount.is_empty() && !code.is_empty() => write!(f, "{amount} {code}"),
            _ => f.write_str(&amount),
        }
    }
}
