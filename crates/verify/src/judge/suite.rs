//! The suite before and after.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_model::SuiteChange;

/// How a test came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It passed, as an expected failure too.
    Passed,
    /// It was skipped.
    Skipped,
    /// It was not selected.
    Deselected,
    /// It was collected and never told of.
    Unfinished,
    /// It failed, in itself or in its fixtures.
    Failed,
}

/// One run of a suite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suite {
    /// Tests by their names.
    pub tests: BTreeMap<String, Outcome>,
}

impl Suite {
    /// Takes in that a test is there.
    pub fn collected(&mut self, name: &str) {
        self.tests.entry(name.to_owned()).or_insert(Outcome::Unfinished);
    }

    /// Takes in one report of a test; the worst of several counts.
    pub fn told(&mut self, name: &str, word: &str) {
        let outcome = match word {
            "passed" | "xfailed" => Outcome::Passed,
            "skipped" => Outcome::Skipped,
            "deselected" => Outcome::Deselected,
            _ => Outcome::Failed,
        };
        let known = self.tests.entry(name.to_owned()).or_insert(outcome);
        if *known == Outcome::Unfinished || outcome > *known {
            *known = outcome;
        }
    }

    /// How many passed.
    pub fn passed(&self) -> usize {
        self.tests.values().filter(|outcome| **outcome == Outcome::Passed).count()
    }

    /// Whether nothing was run.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }
}

/// Compares runs of the tree as it was with runs of the patched one. A test that comes out differently on the same tree is
/// unsteady where it did so before the patch too; one that does so only since is lost. Tests in `new` are the patch's own, and
/// those in `gone` were renamed by it.
pub fn compare(before: &[Suite], after: &[Suite]) -> SuiteChange {
    let mut change = SuiteChange::default();
    let names: BTreeSet<&String> = before.iter().chain(after).flat_map(|suite| suite.tests.keys()).collect();
    for name in names {
        let outcomes = |suites: &[Suite]| -> BTreeSet<Option<Outcome>> {
            suites.iter().map(|suite| suite.tests.get(name).copied()).collect()
        };
        let (old, new) = (outcomes(before), outcomes(after));
        if old.len() > 1 {
            change.unsteady.push(name.clone());
            continue;
        }
        let Some(old) = old.first().copied().flatten() else { continue };
        if old == Outcome::Passed && new != BTreeSet::from([Some(Outcome::Passed)]) {
            change.lost.push(describe(name, &new));
        } else if old == Outcome::Failed && new == BTreeSet::from([Some(Outcome::Passed)]) {
            change.mended.push(name.clone());
        } else if new.contains(&None)
            || (old != Outcome::Skipped && new.contains(&Some(Outcome::Skipped)))
            || (old != Outcome::Deselected && new.contains(&Some(Outcome::Deselected)))
            || (matches!(old, Outcome::Skipped | Outcome::Deselected) && new.contains(&Some(Outcome::Failed)))
        {
            change.lost.push(describe(name, &new));
        }
    }
    change.collected = before.first().map_or(0, |suite| suite.tests.len());
    change.passed_before = before.iter().map(Suite::passed).min().unwrap_or(0);
    change.passed_after = after.iter().map(Suite::passed).min().unwrap_or(0);
    change
}

fn describe(name: &str, outcomes: &BTreeSet<Option<Outcome>>) -> String {
    let word = match outcomes.iter().max().copied().flatten() {
        _ if outcomes.contains(&None) => "is no longer collected",
        Some(Outcome::Failed) if outcomes.len() > 1 => "fails sometimes",
        Some(Outcome::Failed) => "fails",
        Some(Outcome::Skipped) => "is skipped",
        Some(Outcome::Deselected) => "is deselected",
        _ => "does not end",
    };
    format!("{name} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(tests: &[(&str, &str)]) -> Suite {
        let mut suite = Suite::default();
        for (name, word) in tests {
            suite.collected(name);
            if !word.is_empty() {
                suite.told(name, word);
            }
        }
        suite
    }

    #[test]
    fn a_mended_test_is_mended() {
        let change = compare(
            &[suite(&[("a", "passed"), ("b", "failed")])],
            &[suite(&[("a", "passed"), ("b", "passed")])],
        );
        assert_eq!(change.mended, ["b"]);
        assert!(change.lost.is_empty());
        assert_eq!((change.collected, change.passed_before, change.passed_after), (2, 1, 2));
    }

    #[test]
    fn nothing_may_be_lost() {
        let before = [suite(&[
            ("a", "passed"),
            ("b", "passed"),
            ("c", "passed"),
            ("d", "passed"),
            ("e", "failed"),
            ("f", "failed"),
        ])];
        let after = [suite(&[
            ("a", "failed"),
            ("b", "skipped"),
            ("c", "deselected"),
            ("e", "skipped"),
            ("g", "passed"),
        ])];
        let change = compare(&before, &after);
        assert_eq!(
            change.lost,
            [
                "a fails",
                "b is skipped",
                "c is deselected",
                "d is no longer collected",
                "e is skipped",
                "f is no longer collected"
            ]
        );
    }

    #[test]
    fn a_test_that_fails_in_teardown_fails() {
        let mut one = suite(&[("a", "passed")]);
        one.told("a", "error");
        assert_eq!(one.tests["a"], Outcome::Failed);
        assert_eq!(compare(&[suite(&[("a", "passed")])], &[one]).lost, ["a fails"]);
    }

    #[test]
    fn an_unsteady_test_speaks_for_nothing_but_a_newly_unsteady_one_is_lost() {
        let (good, bad) = (suite(&[("a", "passed")]), suite(&[("a", "failed")]));
        assert_eq!(compare(&[good.clone(), bad.clone()], std::slice::from_ref(&bad)).unsteady, ["a"]);
        assert_eq!(compare(&[good.clone(), good.clone()], &[good, bad]).lost, ["a fails sometimes"]);
    }
}
