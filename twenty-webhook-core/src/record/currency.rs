use std::fmt;

use super::object::object;

object! {
    /// An amount of money.
    ///
    /// ```
    /// use twenty_webhook_core::{Opportunity, WebhookEvent};
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
        /// Millionths: 1 000 000 is 1 EUR. Twenty sends a number, or a number in a string.
        amount_micros: Option<i64> = "amountMicros",
        /// The ISO 4217 code. Empty where no currency was chosen.
        currency_code: Option<String> = "currencyCode",
    }
}

impl Currency {
    /// The amount in whole units, exactly: two decimals, or as many as it takes, which is six at most.
    pub fn decimal(&self) -> Option<String> {
        let micros = self.amount_micros?;
        let sign = if micros < 0 { "-" } else { "" };
        let (units, fraction) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
        let fraction = format!("{fraction:06}");
        let (cents, rest) = fraction.split_at(2);
        Some(format!("{sign}{units}.{cents}{}", rest.trim_end_matches('0')))
    }
}

/// `48000.50 EUR`; nothing where there is no amount.
impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.decimal().unwrap_or_default();
        match self.currency_code.as_deref() {
            Some(code) if !amount.is_empty() && !code.is_empty() => write!(f, "{amount} {code}"),
            _ => f.write_str(&amount),
        }
    }
}
