//! What passed, failed and was skipped.

use std::fmt;
use std::ops::AddAssign;

/// Counts of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Held.
    pub passed: usize,
    /// Did not hold.
    pub failed: usize,
    /// Could not run here.
    pub skipped: usize,
}

impl Totals {
    /// One check that holds or not.
    pub fn one(holds: bool) -> Self {
        Self { passed: usize::from(holds), failed: usize::from(!holds), skipped: 0 }
    }

    /// One group that could not run: a failure where all is required.
    pub fn absent(required: bool) -> Self {
        Self { passed: 0, failed: usize::from(required), skipped: usize::from(!required) }
    }

    /// Reads the closing lines of nextest (`12 tests run: 11 passed, 1 failed, 0 skipped`) and of cargo test
    /// (`test result: ok. 3 passed; 0 failed; 1 ignored; …`), summed over the text.
    pub fn read(text: &str) -> Self {
        let mut totals = Self::default();
        for line in text.lines() {
            let counts = if let Some((_, counts)) = line.split_once("run: ") {
                counts
            } else if let Some(counts) = line.trim_start().strip_prefix("test result: ") {
                counts.split_once(". ").map_or(counts, |(_, counts)| counts)
            } else {
                continue;
            };
            for part in counts.split([',', ';']) {
                let mut words = part.split_whitespace();
                let (Some(Ok(count)), Some(word)) = (words.next().map(str::parse::<usize>), words.next())
                else {
                    continue;
                };
                match word {
                    "passed" => totals.passed += count,
                    "failed" | "timed" => totals.failed += count,
                    "skipped" | "ignored" => totals.skipped += count,
                    _ => {}
                }
            }
        }
        totals
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_read() {
        let nextest = "     Summary [   0.123s] 12 tests run: 10 passed (1 slow), 2 failed, 3 skipped";
        assert_eq!(Totals::read(nextest), Totals { passed: 10, failed: 2, skipped: 3 });
        let cargo = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                     test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(Totals::read(cargo), Totals { passed: 4, failed: 1, skipped: 1 });
    }
}
