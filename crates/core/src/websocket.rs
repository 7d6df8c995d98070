//! Where one WebSocket frame ends and the next begins (RFC 6455, 5.2), without looking at what they carry.
//!
//! A drain closes WebSockets with a close frame of its own. Put into the middle of a frame it would be read as data,
//! so [`Frames`] follows the headers that pass by and says when the stream stands between two frames. Memory: a header
//! at most, however long the frames.
//!
//! ```
//! use seaworthy_core::websocket::Frames;
//!
//! let mut frames = Frames::default();
//! frames.feed(&[0x81, 0x02, b'h']);
//! assert!(!frames.between());
//! frames.feed(b"i");
//! assert!(frames.between());
//! ```

/// "Going away": the server is shutting down (RFC 6455, 7.4.1).
pub const GOING_AWAY: u16 = 1001;

const CLOSE: u8 = 0x8;
/// Two bytes, eight of a long length, four of a mask.
const LONGEST_HEADER: usize = 14;

/// Follows the frames of one direction.
#[derive(Debug, Clone, Default)]
pub struct Frames {
    header: [u8; LONGEST_HEADER],
    have: usize,
    payload: u64,
    closed: bool,
}

impl Frames {
    /// Takes what passes by.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.step(bytes);
            bytes = &bytes[taken..];
        }
    }

    /// Takes bytes up to the next end of a frame and says how many that were; all of them where none ends.
    pub fn feed_until_between(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && (taken == 0 || !self.between()) {
            taken += self.step(&bytes[taken..]);
        }
        taken
    }

    /// Whether the stream stands between two frames.
    #[must_use]
    pub fn between(&self) -> bool {
        self.have == 0 && self.payload == 0
    }

    /// Whether a close frame began: nothing may follow it.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.closed
    }

    /// Takes some bytes, at least one and at most to the end of the frame.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.have == 0 && self.payload > 0 {
            let taken = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
            self.payload -= taken as u64;
            return taken;
        }
        self.header[self.have] = bytes[0];
        self.have += 1;
        if self.have >= 2 && self.have == self.header_length() {
            self.closed |= self.header[0] & 0x0f == CLOSE;
            self.payload = self.payload_length();
            self.have = 0;
        }
        1
    }

    fn header_length(&self) -> usize {
        let extended = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        2 + extended + mask
    }

    fn payload_length(&self) -> u64 {
        let big_endian = |bytes: &[u8]| bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
        match self.header[1] & 0x7f {
            126 => big_endian(&self.header[2..4]),
            127 => big_endian(&self.header[2..10]),
            short => u64::from(short),
        }
    }
}

/// A close frame from a server: not masked.
#[must_use]
pub fn close_frame(code: u16) -> [u8; 4] {
    let [high, low] = code.to_be_bytes();
    [0x80 | CLOSE, 2, high, low]
}

/// A close frame from a client: masked (RFC 6455, 5.3).
#[must_use]
pub fn masked_close_frame(code: u16, mask: [u8; 4]) -> [u8; 8] {
    let [high, low] = code.to_be_bytes();
    [0x80 | CLOSE, 0x80 | 2, mask[0], mask[1], mask[2], mask[3], high ^ mask[0], low ^ mask[1]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
        let masked = if mask.is_some() { 0x80 } else { 0 };
        let mut bytes = vec![0x80 | opcode];
        match payload.len() {
            short @ ..126 => bytes.push(masked | u8::try_from(short).unwrap()),
            medium @ ..0x1_0000 => {
                bytes.push(masked | 0x7e);
                bytes.extend(u16::try_from(medium).unwrap().to_be_bytes());
            }
            long => {
                bytes.push(masked | 0x7f);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        bytes.extend(mask.into_iter().flatten());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn a_close_frame_is_noticed_and_those_that_we_make_are_frames() {
        for close in [close_frame(GOING_AWAY).to_vec(), masked_close_frame(GOING_AWAY, [1, 2, 3, 4]).to_vec()] {
            let mut frames = Frames::default();
            frames.feed(&close);
            assert!(frames.closed() && frames.between());
        }
    }

    #[test]
    fn an_empty_frame_ends_with_its_header() {
        let mut frames = Frames::default();
        frames.feed(&[0x89, 0x00]);
        assert!(frames.between() && !frames.closed());
    }

    proptest! {
        #[test]
        fn however_a_stream_is_cut_its_boundaries_are_the_same(
            sizes in proptest::collection::vec(prop_oneof![0usize..200, 65_530usize..65_540], 1..4),
            mask in proptest::option::of(any::<[u8; 4]>()),
            cut in 1usize..70_000,
        ) {
            let mut stream = Vec::new();
            let mut ends = Vec::new();
            for size in &sizes {
                stream.extend(frame(2, &vec![7; *size], mask));
                ends.push(stream.len());
            }
            let (mut frames, mut found, mut at) = (Frames::default(), Vec::new(), 0);
            for chunk in stream.chunks(cut) {
                let mut rest = chunk;
                while !rest.is_empty() {
                    let taken = frames.feed_until_between(rest);
                    prop_assert!(taken > 0);
                    at += taken;
                    rest = &rest[taken..];
                    if frames.between() {
                        found.push(at);
                    }
                }
            }
            prop_assert_eq!(found, ends);
        }

        #[test]
        fn no_bytes_make_it_panic_or_stand_still(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut frames = Frames::default();
            frames.feed(&bytes);
        }
    }
}
