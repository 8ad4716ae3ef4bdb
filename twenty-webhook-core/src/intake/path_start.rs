/// The beginning of a path, kept for the log without allocating: as many whole characters as fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathStart {
    len: u8,
    bytes: [u8; Self::MOST],
}

impl PathStart {
    /// Three more than [`log`](super::log) prints, so that it shows that there was more.
    const MOST: usize = 103;

    pub(super) fn of(path: &str) -> Self {
        let mut len = path.len().min(Self::MOST);
        while !path.is_char_boundary(len) {
            len -= 1;
        }
        let mut bytes = [0; Self::MOST];
        bytes[..len].copy_from_slice(&path.as_bytes()[..len]);
        #[expect(clippy::cast_possible_truncation, reason = "it is at most 103")]
        let len = len as u8;
        Self { len, bytes }
    }

    pub(super) fn as_str(&self) -> &str {
        // Whole characters were copied.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::PathStart;

    #[test]
    fn whole_characters_are_kept() {
        assert_eq!(PathStart::of("/webhooks/twenty").as_str(), "/webhooks/twenty");
        assert_eq!(PathStart::of("").as_str(), "");
        assert_eq!(PathStart::of(&"/".repeat(500)).as_str(), "/".repeat(103));
        // Of two bytes each.
        assert_eq!(PathStart::of(&"é".repeat(500)).as_str(), "é".repeat(51));
    }
}
