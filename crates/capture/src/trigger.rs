//! The search that finds the lines worth reading in a buffer of ordinary ones.

use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::symptom;

/// What opens a block, beside the literals of the symptoms.
const OPENINGS: [&str; 18] = [
    "Traceback (most recent call last)",
    // Colour parts what would be found else.
    "\u{1b}[",
    "File \"",
    "[Previous line repeated ",
    "Exception ignored",
    "Exception in thread",
    "Warning: ",
    "Warning:\n",
    "Warning:\r",
    " FAILURES =",
    " ERRORS =",
    " warnings summary ",
    " short test summary info ",
    "____ ",
    "\"exc_type\"",
    "\"stacktrace\"",
    "Unclosed ",
    "unclosed ",
];

/// Searching this many bytes pays for the larger automaton.
const LARGE: usize = 1 << 20;

static SMALL_SEARCH: LazyLock<AhoCorasick> = LazyLock::new(|| build(AhoCorasickKind::ContiguousNFA));
static LARGE_SEARCH: OnceLock<AhoCorasick> = OnceLock::new();

fn build(kind: AhoCorasickKind) -> AhoCorasick {
    AhoCorasick::builder()
        .kind(Some(kind))
        .build(OPENINGS.into_iter().chain(symptom::needles()))
        .expect("a few hundred short literals")
}

/// Where the first thing of interest begins, after `seen` bytes were read before.
pub(crate) fn find(bytes: &[u8], seen: usize) -> Option<usize> {
    if seen + bytes.len() > LARGE {
        LARGE_SEARCH.get_or_init(|| build(AhoCorasickKind::DFA));
    }
    search().find(bytes).map(|found| found.start())
}

/// Whether the line holds anything of interest.
pub(crate) fn is_in(line: &str) -> bool {
    search().is_match(line) || line.ends_with("Warning:")
}

fn search() -> &'static AhoCorasick {
    LARGE_SEARCH.get().unwrap_or(&SMALL_SEARCH)
}
