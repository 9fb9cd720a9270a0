//! Step 2 of 5: evidence and findings to a ranked answer, or a refusal with its reason.
//!
//! [`candidates`] answers from evidence alone; [`diagnose`] joins the evidence of incidents with the findings of a tree.
//! The ranking is a list of rules ([`rule`]), each with its reason in words, and the reasons are part of the answer.

mod candidate;
mod evidence;
mod rank;
mod refuse;
mod rule;
mod silent;
mod stranger;

pub use candidate::candidates;
pub use evidence::Evidence;
pub use loopmend_causes::{Match, locate};
pub use rank::{Answer, Ranked, alone, described, diagnose, diagnose_each, open, rank};
pub use silent::silent;

/// What diagnosis asks of the catalogue of symptoms: the causes that can produce a symptom, most likely first.
pub trait Symptoms {
    /// Slugs of causes for a symptom's id.
    fn causes(&self, symptom: &str) -> &'static [&'static str];
    /// What the symptom means, in a sentence.
    fn means(&self, symptom: &str) -> &'static str;
    /// Whether it says little where another symptom stands beside it.
    fn general(&self, symptom: &str) -> bool;
}
