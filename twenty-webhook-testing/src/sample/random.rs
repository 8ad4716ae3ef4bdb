/// Random values. The same seed gives the same values.
#[derive(Clone, Debug)]
pub(crate) struct Random(fastrand::Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(&mut self) -> String {
        let bits = (self.0.u128(..) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let digits = format!("{bits:032x}");
        [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
    }

    /// `bytes` random bytes, in hex.
    pub(crate) fn hex(&mut self, bytes: usize) -> String {
        (0..2 * bytes).map(|_| char::from_digit(self.0.u32(..16), 16).unwrap_or('0')).collect()
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.0.usize(..choices.len())]
    }

    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0.u32(..end)
    }
}
