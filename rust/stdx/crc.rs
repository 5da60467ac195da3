//! CRC-32C (Castagnoli), the checksum of every stored byte.
//!
//! The `crc-fast` crate folds with carry-less multiplication where the processor has it: 21 ns for
//! 1 KiB where the three-way `crc32` instruction takes 54 ns.

/// CRC-32C of `bytes`.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn standard_check_value() {
        assert_eq!(super::crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(super::crc32c(b""), 0);
    }
}
