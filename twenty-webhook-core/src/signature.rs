use std::fmt;

use hmac::Mac;

use crate::secret::HmacSha256;

/// The decoded value of `X-Twenty-Webhook-Signature`: 32 bytes of HMAC-SHA256.
///
/// It has no `PartialEq`: only this crate compares it with a computed MAC, in constant time.
#[derive(Clone, Copy)]
pub struct Signature([u8; Self::LEN]);

impl Signature {
    /// Bytes in a signature.
    pub const LEN: usize = 32;

    /// Decodes exactly 64 hex digits, in either case. `None` for anything else.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        let text: &[u8; 2 * Self::LEN] = text.try_into().ok()?;
        let mut bytes = [0; Self::LEN];
        let mut all = 0;
        for (byte, digits) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
            let [high, low] = digits.map(|digit| DIGITS[usize::from(digit)]);
            *byte = high << 4 | low;
            all |= high | low;
        }
        (all != NO_DIGIT).then_some(Self(bytes))
    }

    /// The signature that `mac` computes.
    pub(crate) fn of(mac: HmacSha256) -> Self {
        Self(mac.finalize().into_bytes().into())
    }

    /// Whether `mac` computes this signature, in constant time.
    pub(crate) fn matches(&self, mac: HmacSha256) -> bool {
        mac.verify_slice(&self.0).is_ok()
    }

    /// 64 lower-case hex digits, as Twenty writes them.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

/// The value of each hex digit. Other bytes have bits that no value has.
///
/// The `hex` crate's decoder takes a tenth of the time that verification spends outside the MAC.
#[expect(clippy::cast_possible_truncation, reason = "a digit is less than 16")]
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};
const NO_DIGIT: u8 = u8::MAX;

/// An *expected* signature would let its reader forge that message, so `Debug` prints none.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}
