//! A hash that is the same on every machine and in every release.

/// The 64-bit FNV-1a hash. Spreads, but does not protect: whoever chooses the input chooses it.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A text's hash in so many digits to the base of 32, for names that follow from what they are of.
/// At most 12.
pub fn digits(text: &str, count: u32) -> String {
    let hash = fnv1a(text.as_bytes());
    let digit = |n: u32| {
        let five = hash.checked_shr(64_u32.checked_sub(5 * n)?)? & 31;
        char::from_digit(u32::try_from(five).ok()?, 32)
    };
    (1..=count).filter_map(digit).collect()
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
