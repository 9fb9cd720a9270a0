//! Suppressions of one version of a tree, and which of them are new.

use super::rule::Rule;

/// One place that suppresses something.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub rule: Rule,
    /// What makes it the same one as another, wherever it stands.
    pub key: String,
    /// What may differ in one that is no wider.
    pub extent: Option<Extent>,
    pub path: String,
    pub line: u32,
    pub message: String,
}

/// How much a handler lets vanish.
#[derive(Clone, Debug)]
pub(super) struct Extent {
    /// The function it stands in, by its own name.
    pub function: String,
    /// What it catches.
    pub types: Vec<String>,
    /// The names of the calls that it guards, in order.
    pub guarded: Vec<String>,
}

impl Site {
    /// The same with another key.
    pub fn with_key(self, key: String) -> Self {
        Self { key, ..self }
    }

    /// Whether this one lets no more vanish than `earlier` did.
    fn is_within(&self, earlier: &Self) -> bool {
        let (Some(now), Some(then)) = (&self.extent, &earlier.extent) else { return false };
        let is_caught = |class: &String| {
            let wider = |known: &String| {
                known == class || known == "BaseException" || known == "Exception" && class != "BaseException"
            };
            then.types.iter().any(wider)
        };
        let narrower = now.types.iter().all(is_caught);
        let guards_no_more = now.guarded.iter().all(|call| then.guarded.contains(call))
            || now.function == then.function && now.guarded.len() <= then.guarded.len();
        self.rule == earlier.rule && narrower && guards_no_more
    }
}

/// The sites of the changed tree that the tree before did not have; each earlier one stands for one later one.
pub(super) fn new(before: &[Site], after: Vec<Site>) -> Vec<Site> {
    let mut spare: Vec<&Site> = before.iter().collect();
    let mut left = Vec::new();
    for site in after {
        match spare.iter().position(|earlier| earlier.rule == site.rule && earlier.key == site.key) {
            Some(index) => {
                spare.swap_remove(index);
            }
            None => left.push(site),
        }
    }
    left.retain(|site| match spare.iter().position(|earlier| site.is_within(earlier)) {
        Some(index) => {
            spare.swap_remove(index);
            false
        }
        None => true,
    });
    left
}
