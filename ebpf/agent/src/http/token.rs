//! What a client must know.

use std::fmt;

use subtle::ConstantTimeEq as _;

/// A secret.
pub(crate) struct Token(Vec<u8>);

/// Fewer characters can be guessed.
const SHORTEST: usize = 16;

/// More is no token but the wrong file.
const LONGEST: usize = 4096;

impl Token {
    /// The secret in a file's text, without the white space around it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        match text.len() {
            0..SHORTEST => return Err("it has less than 16 characters"),
            SHORTEST..=LONGEST => {}
            _ => return Err("it has more than 4096 characters"),
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it has blanks, control or non-ASCII characters in it");
        }
        Ok(Self(text.as_bytes().to_vec()))
    }

    /// Whether an `Authorization` header shows it: as a bearer token, or as the password of any user
    /// at all, which is what a browser can be asked for.
    pub(crate) fn is_shown_by(&self, authorization: &[u8]) -> bool {
        let (scheme, shown) = split(authorization);
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return self.is(shown);
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return false;
        }
        let Some(pair) = base64(shown) else {
            return false;
        };
        let colon = pair.iter().position(|byte| *byte == b':');
        colon
            .and_then(|at| pair.get(at + 1..))
            .is_some_and(|password| self.is(password))
    }

    /// Takes as long whatever was shown, as long as it is as long.
    fn is(&self, shown: &[u8]) -> bool {
        self.0.ct_eq(shown).into()
    }
}

/// Says nothing of what it is.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The scheme, and what follows it.
fn split(authorization: &[u8]) -> (&[u8], &[u8]) {
    let blank = authorization.iter().position(|byte| *byte == b' ');
    let (scheme, rest) = authorization.split_at(blank.unwrap_or(authorization.len()));
    (scheme, rest.trim_ascii())
}

/// Decodes standard base64 with or without its padding; `None` for anything else.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text
        .strip_suffix(b"==")
        .or(text.strip_suffix(b"="))
        .unwrap_or(text);
    let (mut bits, mut held) = (0_u32, 0);
    let mut bytes = Vec::with_capacity(text.len());
    for digit in text {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xFF).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_as_a_bearer_token_or_as_a_password() {
        let token = Token::parse("0123456789abcdef\n").unwrap();
        let cases: [(&str, bool); 10] = [
            ("Bearer 0123456789abcdef", true),
            ("bearer  0123456789abcdef ", true),
            ("Bearer 0123456789abcdeg", false),
            ("Bearer 0123456789abcde", false),
            ("Bearer", false),
            ("", false),
            ("0123456789abcdef", false),
            // any:0123456789abcdef
            ("Basic YW55OjAxMjM0NTY3ODlhYmNkZWY=", true),
            // 0123456789abcdef
            ("Basic MDEyMzQ1Njc4OWFiY2RlZg==", false),
            ("Basic ***", false),
        ];
        for (header, shown) in cases {
            assert_eq!(token.is_shown_by(header.as_bytes()), shown, "{header:?}");
        }
    }

    #[test]
    fn what_could_be_guessed_or_is_no_text_is_no_token() {
        for text in ["", "short", "0123456789 abcdef", "0123456789abcdeü"] {
            assert!(Token::parse(text).is_err(), "{text:?}");
        }
        assert!(Token::parse(&"x".repeat(5000)).is_err());
    }

    #[test]
    fn base64_is_decoded() {
        let cases: [(&str, Option<&[u8]>); 6] = [
            ("", Some(b"")),
            ("Zg==", Some(b"f")),
            ("Zm8=", Some(b"fo")),
            ("Zm9vYg", Some(b"foob")),
            ("/+8=", Some(&[0xFF, 0xEF])),
            ("Zm 9", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(base64(text.as_bytes()).as_deref(), bytes, "{text:?}");
        }
    }
}
