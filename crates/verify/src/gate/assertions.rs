//! Assertions, and whether one is at least as strict as another.

use ruff_text_size::Ranged;

use super::claim::{Claim, Op, called, claim, conjuncts};
use super::code::last;
use super::reading::{At, Reading};
use super::rule::Rule;
use super::site::Site;
use super::strictness::{is_at_least, is_empty_claim};

/// One claim and where it is made.
#[derive(Clone, Debug)]
pub(super) struct Asserted {
    pub claim: Claim,
    pub path: String,
    pub line: u32,
    /// The function it stands in.
    pub function: String,
    pub guards: u32,
    pub dead: bool,
    pub expected: bool,
    pub text: String,
}

/// Whether a context manager of this name expects an error in its body.
pub(super) fn expects_error(name: &str) -> bool {
    matches!(
        last(name),
        "raises"
            | "warns"
            | "assertRaises"
            | "assertRaisesRegex"
            | "assertWarns"
            | "assertWarnsRegex"
            | "deprecated_call"
    )
}

/// All claims of a file.
pub(super) fn of(reading: &Reading<'_>) -> Vec<Asserted> {
    let mut out = Vec::new();
    let mut add = |claim: Claim, at: At, range: ruff_text_size::TextRange| {
        out.push(Asserted {
            claim,
            path: reading.path.to_owned(),
            line: reading.line(range),
            function: reading.function_name(at).to_owned(),
            guards: at.guards,
            dead: at.dead,
            expected: at.expected,
            text: reading.code(range),
        });
    };
    for (node, at) in &reading.asserts {
        for test in conjuncts(&node.test) {
            add(claim(reading, test, false), *at, test.range());
        }
    }
    for call in &reading.calls {
        if let Some(claim) = called(reading, call.node) {
            add(claim, call.at, call.node.range());
        }
    }
    out
}

/// The texts of the claims of a function.
pub(super) fn texts(reading: &Reading<'_>, function: Option<usize>) -> Vec<String> {
    let name = function.map_or("", |index| &reading.functions[index].name);
    of(reading).into_iter().filter(|one| one.function == name).map(|one| format!("{:?}", one.claim)).collect()
}

/// Assertions that are gone with nothing as strict in their place, and those that can no longer fail.
pub(super) fn loosened(before: &[Asserted], after: &[Asserted]) -> Vec<Site> {
    let mut spare: Vec<&Asserted> = after.iter().filter(|one| !one.dead).collect();
    let mut lost = Vec::new();
    for one in before.iter().filter(|one| !one.dead) {
        let same = |now: &&Asserted| {
            now.claim == one.claim && now.guards <= one.guards && (!now.expected || one.expected)
        };
        let here = |now: &&Asserted| same(now) && now.function == one.function && now.path == one.path;
        match spare.iter().position(here).or_else(|| spare.iter().position(same)) {
            Some(index) => {
                spare.swap_remove(index);
            }
            None => lost.push(one),
        }
    }
    let mut out = Vec::new();
    for one in lost {
        let own = |now: &Asserted| last(&now.function) == last(&one.function);
        let strict = |now: &&Asserted| {
            is_at_least(&now.claim, &one.claim) && now.guards <= one.guards && (!now.expected || one.expected)
        };
        let found =
            spare.iter().position(|now| own(now) && strict(now)).or_else(|| spare.iter().position(strict));
        if let Some(index) = found {
            // A stricter one may stand for several: `== [1, 2]` for `len(…) == 2` and `1 in …`.
            if spare[index].claim == one.claim {
                spare.swap_remove(index);
            }
            continue;
        }
        if is_narrowed(one, &spare) {
            continue;
        }
        let now = spare.iter().find(|now| own(now));
        out.push(Site {
            rule: Rule::LoosenedAssertion,
            key: one.text.clone(),
            extent: None,
            path: now.map_or(&one.path, |now| &now.path).clone(),
            line: now.map_or(one.line, |now| now.line),
            message: match now {
                Some(now) => format!(
                    "`{}` stood here, and nothing as strict is left: `{}` lets more pass",
                    one.text, now.text
                ),
                None => format!("`{}` is no longer asserted", one.text),
            },
        });
    }
    for one in after.iter().filter(|one| is_empty_claim(&one.claim)) {
        if !before.iter().any(|then| then.claim == one.claim) {
            out.push(Site {
                rule: Rule::LoosenedAssertion,
                key: one.text.clone(),
                extent: None,
                path: one.path.clone(),
                line: one.line,
                message: format!("`{}` can't fail", one.text),
            });
        }
    }
    out
}

/// Whether what counted as true is now there, and something is asked about it that only an object has: one that counts as
/// true whenever it is there.
fn is_narrowed(one: &Asserted, spare: &[&Asserted]) -> bool {
    let Claim::Truth { subject, negated: false, .. } = &one.claim else { return false };
    let own = || {
        spare.iter().filter(|now| {
            now.function == one.function && now.guards <= one.guards && (!now.expected || one.expected)
        })
    };
    let is_there = |now: &&Asserted| matches!(&now.claim, Claim::Compare { op: Op::IsNot, left, right, .. } if left == subject && right == "None");
    let asks = |now: &&Asserted| match &now.claim {
        Claim::Compare { left: about, .. } | Claim::Truth { subject: about, .. } => {
            let asked = about.strip_prefix(subject.as_str()).and_then(|rest| rest.strip_prefix('.'));
            // A method may be that of a list or of a text, which count as false where they are empty.
            asked.is_some_and(|asked| !asked.contains('('))
        }
        _ => false,
    };
    own().any(is_there) && own().any(asks)
}
