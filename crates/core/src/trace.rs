//! Who belongs to which trace, and which traces are kept: W3C trace context and head sampling.
//!
//! # Rules
//!
//! - A `traceparent` is valid or it is none: a part of one is never believed (Trace Context, 3.2).
//! - A sampler decides once, at the head, and all that follows obeys it by the `sampled` flag. Parent-based samplers obey the
//!   one before them.
//! - The ratio sampler looks at the trace id alone, the way the SDKs do, so that all services with the same ratio keep the
//!   same traces.
//!
//! Source: <https://www.w3.org/TR/trace-context/>, and "Sampling" in the OpenTelemetry specification.
//!
//! # Example
//!
//! ```
//! use seaworthy_core::trace::{Sampler, Traceparent};
//!
//! let sent = Traceparent::parse(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
//! let sampler = Sampler::from_name("parentbased_always_on", 1.0)?;
//! assert!(!sampler.samples(sent, sent.unwrap().trace), "the parent said no");
//! # Ok::<(), seaworthy_core::trace::SamplerError>(())
//! ```

use std::fmt;
use std::num::NonZeroU64;

/// The length of a `traceparent` of version 00.
pub const TRACEPARENT_LENGTH: usize = 55;

/// The id of a trace; never all zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// From random bits; zero, which is no id, becomes one.
    #[must_use]
    pub fn from_random(bits: u128) -> Self {
        Self(bits.max(1).to_be_bytes())
    }

    /// From 32 lower-case hexadecimal digits that are not all zero.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let digits: &[u8; 32] = digits.try_into().ok()?;
        decode(digits).filter(|id| *id != [0; 16]).map(Self)
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// As it stands in headers and log lines: 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn digits(&self) -> [u8; 32] {
        let mut text = [0; 32];
        encode(&self.0, &mut text);
        text
    }

    /// As one number, for whoever keeps it so.
    #[must_use]
    pub fn number(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.number())
    }
}

/// The id of a span; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    /// From random bits; zero, which is no id, becomes one.
    #[must_use]
    pub fn from_random(bits: u64) -> Self {
        Self(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MIN))
    }

    #[must_use]
    pub fn bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }
}

/// What one service tells the next of the trace that both belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Traceparent {
    pub trace: TraceId,
    /// The span of the sender.
    pub parent: SpanId,
    /// Whether the sender keeps its spans.
    pub sampled: bool,
}

impl Traceparent {
    /// The value of a `traceparent` header, if it is valid.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, rest) = value.split_at_checked(TRACEPARENT_LENGTH)?;
        if [known[2], known[35], known[52]] != *b"---" {
            return None;
        }
        let [version] = decode::<1>(&known[..2])?;
        // A later version may go on after what this one knows.
        let ends = rest.is_empty() || (version != 0 && rest[0] == b'-');
        let trace = TraceId::parse(&known[3..35])?;
        let parent = NonZeroU64::new(u64::from_be_bytes(decode::<8>(&known[36..52])?))?;
        let [flags] = decode::<1>(&known[53..])?;
        (ends && version != 0xff).then_some(Self { trace, parent: SpanId(parent), sampled: flags & 1 != 0 })
    }

    /// As it stands in the header, in version 00.
    #[must_use]
    pub fn header(&self) -> [u8; TRACEPARENT_LENGTH] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        encode(&self.trace.0, &mut text[3..35]);
        encode(&self.parent.bytes(), &mut text[36..52]);
        encode(&[u8::from(self.sampled)], &mut text[53..]);
        text
    }
}

/// Lower-case digits only (Trace Context, 3.2.2).
fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Writes `bytes` as lower-case hexadecimal digits into `text`, which has twice their length.
pub fn encode(bytes: &[u8], text: &mut [u8]) {
    let (words, rest) = bytes.as_chunks::<4>();
    let (of_words, of_rest) = text.split_at_mut(words.len() * 8);
    for (text, word) in of_words.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *text = digits(u32::from_be_bytes(*word)).to_be_bytes();
    }
    for (pair, byte) in of_rest.chunks_exact_mut(2).zip(rest) {
        pair.copy_from_slice(&digits(u32::from(*byte)).to_be_bytes()[6..]);
    }
}

/// The eight digits of a number at once: ids are written with each request.
fn digits(number: u32) -> u64 {
    // Four bits a byte, in their order.
    let mut spread = u64::from(number);
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 where a digit is a letter: six more than ten is a carry.
    let letters = (spread + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    spread + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10)
}

/// The spans of one request: the one that serves it, and the one of the call that it is passed on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestSpan {
    pub trace: TraceId,
    /// Whoever called us, if they said so.
    pub parent: Option<SpanId>,
    /// Of the span that serves the request.
    pub server: SpanId,
    /// Of the call to whoever is behind us; `None` where the request is served in this process.
    pub client: Option<SpanId>,
    /// What the sampler said at the head.
    pub sampled: bool,
}

impl RequestSpan {
    /// What the next one is told: its parent is the span of our call, else the one that serves the request.
    #[must_use]
    pub fn traceparent(&self) -> Traceparent {
        Traceparent { trace: self.trace, parent: self.client.unwrap_or(self.server), sampled: self.sampled }
    }
}

/// Decides at the head which traces are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampler {
    /// Whether the decision of a parent is taken over.
    parent_based: bool,
    root: Root,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Always,
    Never,
    /// Ids below this, of 2⁶³.
    Below(u64),
}

/// Why there is no such sampler.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplerError {
    #[error("unknown sampler {0:?}: use one of {names}", names = Sampler::NAMES.join(", "))]
    Name(String),
    #[error("a ratio of {0} cannot be sampled: write a number from 0 to 1")]
    Ratio(f64),
}

impl Sampler {
    /// The samplers of the OpenTelemetry specification.
    pub const NAMES: [&str; 6] = [
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ];

    /// One of [`Sampler::NAMES`]. `ratio`, from 0 to 1, means something to those of that name only.
    ///
    /// # Errors
    ///
    /// [`SamplerError`] if there is no such name, or the ratio is none.
    pub fn from_name(name: &str, ratio: f64) -> Result<Self, SamplerError> {
        let (parent_based, plain) = match name.strip_prefix("parentbased_") {
            Some(plain) => (true, plain),
            None => (false, name),
        };
        let root = match plain {
            "always_on" => Root::Always,
            "always_off" => Root::Never,
            "traceidratio" => Root::of_ratio(ratio)?,
            _ => return Err(SamplerError::Name(name.to_owned())),
        };
        Ok(Self { parent_based, root })
    }

    /// Whether the trace of this id, which continues that of `parent` where there is one, is kept.
    #[must_use]
    pub fn samples(&self, parent: Option<Traceparent>, trace: TraceId) -> bool {
        match (parent, self.root) {
            (Some(parent), _) if self.parent_based => parent.sampled,
            (_, Root::Always) => true,
            (_, Root::Never) => false,
            (_, Root::Below(limit)) => {
                // The low half, without its last bit.
                let low = (u128::from_be_bytes(trace.0) & u128::from(u64::MAX)) >> 1;
                low < u128::from(limit)
            }
        }
    }
}

impl Default for Sampler {
    /// Everything, unless the parent says no.
    fn default() -> Self {
        Self { parent_based: true, root: Root::Always }
    }
}

impl Root {
    fn of_ratio(ratio: f64) -> Result<Self, SamplerError> {
        const ALL: f64 = 9_223_372_036_854_775_808.0;
        match ratio {
            0.0..1.0 => {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it is from 0 to 2⁶³, and a fraction of one id is nobody's loss"
                )]
                let limit = (ratio * ALL) as u64;
                Ok(Self::Below(limit))
            }
            1.0 => Ok(Self::Always),
            _ => Err(SamplerError::Ratio(ratio)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VALID: &[u8; TRACEPARENT_LENGTH] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_read_is_written_again() {
        let read = Traceparent::parse(VALID).unwrap();
        assert!(read.sampled);
        assert_eq!(&read.header(), VALID);
        assert_eq!(read.trace.bytes()[..2], [0x0a, 0xf7]);
    }

    #[test]
    fn only_what_the_recommendation_allows_is_a_traceparent() {
        assert!(Traceparent::parse(b"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes").is_some());
        for invalid in [
            &b""[..],
            b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            b"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            b"00-00000000000000000000000000000000-b7ad6b7169203331-01",
            b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            b"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            b"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(Traceparent::parse(invalid), None, "{}", invalid.escape_ascii());
        }
    }

    #[test]
    fn a_parent_decides_for_those_that_are_based_on_it_and_for_nobody_else() {
        let parent = |sampled| Traceparent { sampled, ..Traceparent::parse(VALID).unwrap() };
        for sampled in [true, false] {
            let says = |name| Sampler::from_name(name, 0.5).unwrap().samples(Some(parent(sampled)), parent(true).trace);
            assert_eq!(says("parentbased_always_off"), sampled);
            assert_eq!(says("parentbased_traceidratio"), sampled);
            assert!(says("always_on"));
            assert!(!says("always_off"));
        }
        assert!(!Sampler::from_name("parentbased_always_off", 1.0).unwrap().samples(None, parent(true).trace));
    }

    #[test]
    fn a_ratio_keeps_about_as_many_as_it_says() {
        let sampler = Sampler::from_name("traceidratio", 0.25).unwrap();
        let ids = (0..4000_u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let kept = ids.filter(|id| sampler.samples(None, TraceId::from_random(u128::from(*id) | 1 << 100))).count();
        assert!((900..1100).contains(&kept), "{kept}");
    }

    #[test]
    fn every_byte_has_its_two_digits_wherever_it_stands() {
        for length in 0..=9 {
            for byte in 0..=u8::MAX {
                let mut text = vec![0; 2 * length];
                encode(&vec![byte; length], &mut text);
                assert_eq!(String::from_utf8(text).unwrap(), format!("{byte:02x}").repeat(length));
            }
        }
    }

    #[test]
    fn what_is_no_sampler_is_quoted() {
        let refused = Sampler::from_name("sometimes", 1.0).unwrap_err().to_string();
        assert!(refused.starts_with("unknown sampler \"sometimes\": use one of always_on, "), "{refused}");
        for ratio in [-0.1, 1.1, f64::NAN] {
            assert!(Sampler::from_name("traceidratio", ratio).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_reader_panic(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Traceparent::parse(&value);
        }

        #[test]
        fn every_span_can_be_passed_on(trace: u128, parent: u64, sampled: bool) {
            let (trace, parent) = (TraceId::from_random(trace), SpanId::from_random(parent));
            let sent = Traceparent { trace, parent, sampled };
            prop_assert_eq!(Traceparent::parse(&sent.header()), Some(sent));
            let text = sent.trace.to_string();
            prop_assert_eq!(text.as_bytes(), &sent.trace.digits()[..]);
            prop_assert_eq!(TraceId::parse(&sent.trace.digits()), Some(sent.trace));
        }
    }
}
