/// The first characters of a path, for the log, without allocating.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathPrefix {
    len: u8,
    bytes: [u8; Self::MAX_LEN],
}

impl PathPrefix {
    /// More bytes than [`log`](super::log) prints characters, so the log shows that the path is longer.
    const MAX_LEN: usize = 103;

    pub(super) fn of(path: &str) -> Self {
        let mut len = path.len().min(Self::MAX_LEN);
        while !path.is_char_boundary(len) {
            len -= 1;
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..len].copy_from_slice(&path.as_bytes()[..len]);
        #[expect(clippy::cast_possible_truncation, reason = "it is at most 103")]
        let len = len as u8;
        Self { len, bytes }
    }

    pub(super) fn as_str(&self) -> &str {
        // Only whole characters were copied.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::PathPrefix;

    #[test]
    fn whole_characters_are_kept() {
        assert_eq!(PathPrefix::of("/webhooks/twenty").as_str(), "/webhooks/twenty");
        assert_eq!(PathPrefix::of("").as_str(), "");
        assert_eq!(PathPrefix::of(&"/".repeat(500)).as_str(), "/".repeat(103));
        // Two bytes each.
        assert_eq!(PathPrefix::of(&"é".repeat(500)).as_str(), "é".repeat(51));
    }
}
