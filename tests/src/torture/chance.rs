//! Numbers drawn from a seed: the same seed, the same decisions.

/// A stream of numbers (`SplitMix64`), the same for the same seed and purpose on every machine.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The stream of `seed` for one purpose, which some numbers name.
    pub fn new(seed: u64, purpose: &[u64]) -> Self {
        let mut stream = Self(seed);
        for number in purpose {
            stream.0 = stream.draw() ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        stream
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.draw().checked_rem(limit).unwrap_or(0)
    }

    /// A number of `first..=last`.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below((last - first).saturating_add(1))
    }

    /// One of `things`; `None` when there are none.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        let place = self.below(u64::try_from(things.len()).unwrap_or(u64::MAX));
        things.get(usize::try_from(place).unwrap_or(usize::MAX))
    }

    /// 16 bytes.
    pub fn bytes(&mut self) -> [u8; 16] {
        let number = u128::from(self.draw()) << 64 | u128::from(self.draw());
        number.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_another_purpose_draws_other_numbers() {
        let draw = |seed, purpose: &[u64]| {
            let mut chance = Chance::new(seed, purpose);
            [(); 8].map(|()| chance.draw())
        };
        assert_eq!(draw(1, &[2, 3]), draw(1, &[2, 3]));
        for other in [draw(2, &[2, 3]), draw(1, &[3, 2]), draw(1, &[2])] {
            assert_ne!(draw(1, &[2, 3]), other);
        }
        let mut chance = Chance::new(7, &[]);
        assert!((0..1000).all(|_| (5..=9).contains(&chance.between(5, 9))));
    }
}
