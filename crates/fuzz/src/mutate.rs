//! Inputs made from seeds: small damage, as a line or a bad client does it. The same seed gives
//! the same inputs.

/// Bytes that sit on the borders of MQTT: lengths, flags, separators, wildcards.
const BORDERS: [u8; 12] = [0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x26, b'/', b'+', b'#', b'$'];

/// The longest input made.
const LENGTH_MAX: usize = 4_096;

/// Makes inputs.
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// A mutator that always makes the same inputs from the same seeds.
    pub fn new(seed: u64) -> Mutator {
        // xorshift must not begin with 0.
        Mutator { state: seed ^ 0x9E37_79B9_7F4A_7C15 | 1 }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// A number below `end`; 0 if `end` is 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }

    /// One of the seeds with one to eight changes.
    pub fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus.get(self.below(corpus.len())).cloned().unwrap_or_default();
        for _ in 0..=self.below(8) {
            self.change(&mut input, corpus);
        }
        input.truncate(LENGTH_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len());
        let border = BORDERS[self.below(BORDERS.len())];
        match self.below(7) {
            0 => input.insert(at.min(input.len()), border),
            1 => input.truncate(at),
            2 => {
                let other = corpus.get(self.below(corpus.len())).cloned().unwrap_or_default();
                input.truncate(at);
                input.extend_from_slice(other.get(self.below(other.len())..).unwrap_or_default());
            }
            3 if !input.is_empty() => {
                input.remove(at);
            }
            4 => {
                let bit = 1 << self.below(8);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= bit;
                }
            }
            5 => {
                let random = self.next() as u8;
                if let Some(byte) = input.get_mut(at) {
                    *byte = random;
                }
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = border;
                }
            }
        }
    }
}
