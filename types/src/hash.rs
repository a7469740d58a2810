//! A hash that is the same on every machine and in every release.

/// The 64-bit FNV-1a hash. Spreads, but does not protect: whoever chooses the input chooses it.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_published_function() {
        for (input, expected) in [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c)] {
            assert_eq!(super::fnv1a(input.as_bytes()), expected, "case: {input:?}");
        }
    }
}
