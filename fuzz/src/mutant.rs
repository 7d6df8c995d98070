//! One input from others: cut, spliced, repeated, with numbers at their limits and with words from other places.

use fastrand::Rng;

/// Numbers around which readers err.
const NUMBERS: [&str; 22] = [
    "0",
    "-1",
    "1",
    "00",
    "+1",
    "127",
    "128",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e309",
    "0.1",
    "NaN",
];

/// Bytes that mean something somewhere, and text that is longer than it looks.
const PIECES: [&[u8]; 20] = [
    b"\0",
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"\"",
    b"'",
    b"\\",
    b"%",
    b"%2",
    b"%00",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    "\u{fc}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{1f6a2}".as_bytes(),
    "\u{feff}".as_bytes(),
    b"\x1b[",
    b"[[[[[[[[",
    b"{{{{{{{{",
];

/// How often one mutant is changed at most.
const CHANGES: usize = 6;

/// Makes mutants of some parents.
#[derive(Debug)]
pub(crate) struct Breeder<'s> {
    parents: &'s [Vec<u8>],
    rng: Rng,
}

impl<'s> Breeder<'s> {
    pub(crate) fn new(parents: &'s [Vec<u8>], seed: u64) -> Self {
        Self { parents, rng: Rng::with_seed(seed) }
    }

    /// The next one, of at most `longest` bytes.
    pub(crate) fn next(&mut self, longest: usize) -> Vec<u8> {
        let mut mutant = self.parent().to_vec();
        for _ in 0..self.rng.usize(1..=CHANGES) {
            self.change(&mut mutant);
        }
        mutant.truncate(longest);
        mutant
    }

    fn parent(&mut self) -> &'s [u8] {
        &self.parents[self.rng.usize(..self.parents.len())]
    }

    fn change(&mut self, mutant: &mut Vec<u8>) {
        let (start, end) = self.range(mutant.len());
        match self.rng.u8(..12) {
            0 => flip(mutant, start, self.rng.u8(..8)),
            1 => insert(mutant, start, &[self.rng.u8(..)]),
            2 => drop(mutant.drain(start..end)),
            3 => mutant.truncate(start),
            4 => {
                let piece = PIECES[self.rng.usize(..PIECES.len())];
                insert(mutant, start, piece);
            }
            5 => {
                let repeated = mutant[start..end].repeat(self.rng.usize(1..4));
                insert(mutant, end, &repeated);
            }
            6 => {
                // A long one, in place of itself.
                let long = mutant[start..end.min(start + 8)].repeat(self.rng.usize(1..600));
                insert(mutant, start, &long);
            }
            7 | 8 => self.number(mutant),
            9 | 10 => {
                let parent = self.parent();
                let (from, to) = self.range(parent.len());
                mutant.splice(start..end, parent[from..to].iter().copied());
            }
            _ => self.swap_lines(mutant),
        }
    }

    /// Most are short: a change that replaces half of an input leaves nothing of it.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let start = self.rng.usize(..=length);
        let most = if self.rng.bool() { 8 } else { length };
        (start, self.rng.usize(start..=length.min(start.saturating_add(most))))
    }

    /// Puts another number in the place of one that is there.
    fn number(&mut self, mutant: &mut Vec<u8>) {
        let starts = |at: &usize| mutant[*at].is_ascii_digit() && (*at == 0 || !mutant[*at - 1].is_ascii_digit());
        let starts: Vec<usize> = (0..mutant.len()).filter(starts).collect();
        let Some(start) = starts.get(self.rng.usize(..starts.len().max(1))).copied() else { return };
        let digits = mutant[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = NUMBERS[self.rng.usize(..NUMBERS.len())];
        mutant.splice(start..start + digits, number.bytes());
    }

    fn swap_lines(&mut self, mutant: &mut Vec<u8>) {
        let mut lines: Vec<&[u8]> = mutant.split_inclusive(|byte| *byte == b'\n').collect();
        if lines.is_empty() {
            return;
        }
        let (one, other) = (self.rng.usize(..lines.len()), self.rng.usize(..lines.len()));
        lines.swap(one, other);
        *mutant = lines.concat();
    }
}

fn flip(mutant: &mut [u8], at: usize, bit: u8) {
    if let Some(byte) = mutant.get_mut(at) {
        *byte ^= 1 << bit;
    }
}

fn insert(mutant: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    mutant.splice(at..at, bytes.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_mutants_and_none_is_too_long() {
        let parents = [b"GET /7 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Vec::new(), vec![0xff; 300]];
        let mutants = |seed| {
            let mut breeder = Breeder::new(&parents, seed);
            (0..2000).map(|_| breeder.next(500)).collect::<Vec<_>>()
        };
        assert_eq!(mutants(7), mutants(7));
        assert_ne!(mutants(7), mutants(8));
        assert!(mutants(7).iter().all(|mutant| mutant.len() <= 500));
    }

    #[test]
    fn a_number_is_replaced_whole() {
        let parents = [Vec::new()];
        let mut breeder = Breeder::new(&parents, 1);
        for _ in 0..100 {
            let mut mutant = b"a=12345;".to_vec();
            breeder.number(&mut mutant);
            let number = mutant.strip_prefix(b"a=").and_then(|rest| rest.strip_suffix(b";")).expect("the rest stays");
            assert!(NUMBERS.iter().any(|known| known.as_bytes() == number), "{}", mutant.escape_ascii());
        }
    }
}
