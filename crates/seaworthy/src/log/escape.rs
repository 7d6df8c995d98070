//! Text that came from outside, made harmless: nothing in it ends a line, a string, or moves a cursor.
//!
//! ```
//! use seaworthy::log::escape;
//!
//! let mut line = Vec::new();
//! escape::json(&mut line, "a\n{\"forged\":\u{1b}[31m");
//! assert!(line.starts_with(br#"a\n{\"forged\":"#) && !line.contains(&b'\n') && !line.contains(&0x1b));
//! ```

/// Appends `text` as the inside of a JSON string.
pub fn json(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            other if is_dangerous(other) => unicode(out, other),
            other => push(out, other),
        }
    }
}

/// Appends bytes that may be no UTF-8 as the inside of a JSON string; what is none becomes U+FFFD.
pub fn json_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        json(out, chunk.valid());
        if !chunk.invalid().is_empty() {
            push(out, char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Appends `text` for a terminal.
pub fn plain(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        match character {
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.push(b'\t'),
            other if is_dangerous(other) => unicode(out, other),
            other => push(out, other),
        }
    }
}

/// Appends bytes that may be no UTF-8 for a terminal.
pub fn plain_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        plain(out, chunk.valid());
        if !chunk.invalid().is_empty() {
            push(out, char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Printable ASCII that needs no escape in JSON, as nearly everything is.
fn is_plain(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let all = words.iter().fold(0, |any, word| any | special(u64::from_le_bytes(*word)));
    let rest = match bytes.last_chunk::<8>() {
        _ if rest.is_empty() => 0,
        // Some of them for the second time, which is quicker than the others one by one.
        Some(last) => special(u64::from_le_bytes(*last)),
        None => special(rest.iter().fold(every(b' '), |word, byte| word << 8 | u64::from(*byte))),
    };
    all | rest == 0
}

/// A byte, eight times.
const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Not 0 if one of eight bytes needs an escape. What is no such byte may be marked too, but only beside one that is.
fn special(word: u64) -> u64 {
    // The highest bit of each byte that is smaller than `than`, which is at most 128.
    let smaller = |word: u64, than: u8| word.wrapping_sub(every(than)) & !word;
    let equal = |byte: u8| smaller(word ^ every(byte), 1);
    let beyond = word.wrapping_add(every(127 - b'~')) | word;
    (smaller(word, b' ') | equal(b'"') | equal(b'\\') | beyond) & every(1 << 7)
}

/// Control characters, line separators, and what turns the direction of writing (Unicode TR 36, 2.7).
fn is_dangerous(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn unicode(out: &mut Vec<u8>, character: char) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut units = [0; 2];
    for unit in character.encode_utf16(&mut units) {
        out.extend_from_slice(b"\\u");
        out.extend([12, 8, 4, 0].map(|shift| DIGITS[usize::from(*unit >> shift) & 15]));
    }
}

fn push(out: &mut Vec<u8>, character: char) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn as_json(bytes: &[u8]) -> String {
        let mut out = b"\"".to_vec();
        json_bytes(&mut out, bytes);
        out.push(b'"');
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn what_ends_a_line_or_moves_a_cursor_is_escaped() {
        assert_eq!(as_json("a\"\\\n\u{1b}[2J\u{85}\u{2028}\u{202e}é".as_bytes()), {
            r#""a\"\\\n\u001b[2J\u0085\u2028\u202eé""#
        });
        let mut out = Vec::new();
        plain(&mut out, "a\r\n\u{1b}]0;title\u{7}");
        assert_eq!(String::from_utf8(out).expect("UTF-8"), r"a\r\n\u001b]0;title\u0007");
    }

    #[test]
    fn every_byte_is_judged_alike_wherever_it_stands() {
        let plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
        for length in 1..=25 {
            for (place, byte) in (0..length).flat_map(|place| (0..=u8::MAX).map(move |byte| (place, byte))) {
                let mut text = vec![b'a'; length];
                text[place] = byte;
                assert_eq!(is_plain(&text), plain(byte), "{byte} in place {place} of {length}");
            }
        }
        assert!(is_plain(b""));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_its_json(text in any::<String>()) {
            let json = as_json(text.as_bytes());
            prop_assert!(!json.contains(is_dangerous));
            prop_assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);
        }

        #[test]
        fn any_bytes_become_one_string(bytes in any::<Vec<u8>>()) {
            let text: String = serde_json::from_str(&as_json(&bytes)).expect("JSON");
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }
}
