//! The messages by which event-loop trouble is known.
//!
//! The table is made from `symptoms/*.toml` when the crate is built. A line is searched once for the literals of all
//! patterns; only the patterns whose literal is there are compiled, on first use, and tried.

use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::Regex;

include!(concat!(env!("OUT_DIR"), "/symptoms.rs"));

/// One message that Python, a library or a test tool prints.
#[derive(Debug)]
pub struct Symptom {
    /// Its name, stable.
    pub id: &'static str,
    /// The regular expression that recognises it in one line.
    pub pattern: &'static str,
    /// It says little where another symptom stands beside it.
    pub general: bool,
    /// By which way it is told: `exception`, `warning`, `asyncio-logger`, `unraisable`, `stderr-note`.
    pub channel: &'static str,
    /// The code that prints it.
    pub emitter: &'static str,
    /// The versions that print it.
    pub versions: &'static str,
    /// One line as it was printed.
    pub example: &'static str,
    /// What it means, in a sentence.
    pub means: &'static str,
    /// Slugs of the causes that can produce it, most likely first.
    pub causes: &'static [&'static str],
    /// What tells those causes apart.
    pub discriminators: &'static str,
}

/// A symptom found in a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    /// The symptom.
    pub symptom: &'static Symptom,
    /// Where the match begins, in bytes.
    pub start: usize,
    /// Its index in the table.
    index: usize,
}

/// The symptom of this id.
pub fn symptom(id: &str) -> Option<&'static Symptom> {
    TABLE.iter().find(|symptom| symptom.id == id)
}

/// Every symptom, specific ones before general ones.
pub fn symptoms() -> &'static [Symptom] {
    TABLE
}

/// The symptoms that one line of text shows, specific ones first; the line is taken as it is, wherever it stood.
pub fn recognise(line: &str) -> Vec<&'static Symptom> {
    hits(line).into_iter().map(|hit| hit.symptom).collect()
}

static SEARCH: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(NEEDLES.iter().map(|(needle, _)| needle))
        .expect("a few hundred short literals")
});

static PATTERNS: [OnceLock<Option<Regex>>; TABLE.len()] = [const { OnceLock::new() }; TABLE.len()];

fn pattern(index: usize) -> Option<&'static Regex> {
    PATTERNS[index].get_or_init(|| Regex::new(TABLE[index].pattern).ok()).as_ref()
}

/// All symptoms in the line, in the order of the table, general ones last.
pub(crate) fn hits(line: &str) -> Vec<Hit> {
    let mut candidates: Vec<u16> =
        SEARCH.find_overlapping_iter(line).map(|found| NEEDLES[found.pattern().as_usize()].1).collect();
    candidates.sort_unstable();
    candidates.dedup();
    let mut hits: Vec<Hit> = candidates
        .into_iter()
        .filter_map(|index| {
            let index = usize::from(index);
            let found = pattern(index)?.find(line)?;
            Some(Hit { symptom: &TABLE[index], start: found.start(), index })
        })
        .collect();
    hits.sort_by_key(|hit| hit.symptom.general);
    hits
}

impl Hit {
    /// What a named group of the pattern holds.
    pub fn group<'t>(&self, line: &'t str, name: &str) -> Option<&'t str> {
        // Captures are slow, and few patterns have any.
        if !self.symptom.pattern.contains("(?P<") {
            return None;
        }
        pattern(self.index)?.captures(line)?.name(name).map(|found| found.as_str())
    }
}

/// Literals of all patterns, for the search over whole buffers.
pub(crate) fn needles() -> impl Iterator<Item = &'static str> {
    NEEDLES.iter().map(|(needle, _)| *needle)
}
