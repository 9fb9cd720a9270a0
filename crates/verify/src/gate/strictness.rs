//! Whether one claim is at least as strict as another.

use super::claim::{CALLED, Claim, Op, Value};
use super::code::last;

pub(super) fn is_empty_claim(claim: &Claim) -> bool {
    matches!(claim, Claim::Compare { always: true, .. } | Claim::Truth { always: true, .. })
}

/// Whether whatever satisfies `now` satisfies `then`, as far as the forms tell.
pub(super) fn is_at_least(now: &Claim, then: &Claim) -> bool {
    if is_empty_claim(now) {
        return is_empty_claim(then);
    }
    match (now, then) {
        (
            Claim::Compare { op: now_op, left: now_left, right: now_right, value: now_value, .. },
            Claim::Compare { op, left, right, value, .. },
        ) => {
            // The same thing by another name, or asked for in another way, against the same expectation.
            let subject = now_left == left
                || now_right == right && !right.is_empty()
                || now_left.contains(left.as_str())
                || left.contains(now_left.as_str());
            subject && bounds(*now_op, now_right, now_value, *op, right, value)
        }
        (Claim::Compare { op, left, right, .. }, Claim::Truth { subject, negated, .. }) => {
            let about = left.contains(subject.as_str()) || subject.contains(left.as_str());
            let false_ = matches!(right.as_str(), "False" | "None" | "0" | "[]" | "{}" | "\"\"" | "()");
            about
                && match op {
                    Op::Eq | Op::Is => *negated == false_,
                    Op::IsNot | Op::NotEq => !*negated && false_ && right != "None",
                    Op::More => !*negated,
                    _ => false,
                }
        }
        // What a double of the project's own has recorded: all of its calls, this one.
        (
            Claim::Compare { op: Op::Eq, left, right, .. },
            Claim::Called { subject, how: "assert_called_once_with" | "assert_awaited_once_with", with },
        ) => {
            let owner = subject.rsplit_once('.').map_or(subject.as_str(), |(owner, _)| owner);
            let recorded = left.strip_prefix(owner).is_some_and(|rest| rest.starts_with('.'));
            let calls = [format!("[{with}]"), format!("[({with})]"), format!("[call({with})]")];
            let one = !with.contains(',') || *right != calls[0];
            recorded && !with.is_empty() && one && calls.contains(right)
        }
        (Claim::Truth { subject: now, negated: now_negated, .. }, Claim::Truth { subject, negated, .. }) => {
            now_negated == negated
                && !now.contains(" or ")
                && (now.contains(subject.as_str()) || subject.contains(now.as_str()))
        }
        (Claim::Truth { subject, negated, .. }, Claim::Compare { op, left, right, .. }) => {
            subject.contains(left.as_str())
                && (*op == Op::IsNot && right == "None" && !negated
                    || *op == Op::Is && right == "True" && !negated
                    || *op == Op::Is && right == "False" && *negated)
        }
        (Claim::Raises { class: now, matched: now_matched }, Claim::Raises { class, matched }) => {
            is_narrower(now, class)
                && match (now_matched, matched) {
                    (_, None) => true,
                    (Some(now), Some(then)) => now.contains(then.as_str()),
                    (None, Some(_)) => false,
                }
        }
        (
            Claim::Called { subject: now, how: now_how, with: now_with },
            Claim::Called { subject, how, with },
        ) => {
            let weight =
                |how: &str| CALLED.iter().find(|(name, _)| *name == how).map_or(0, |(_, weight)| *weight);
            let none = |how: &str| weight(how) == 9;
            last(now) == last(subject)
                && none(now_how) == none(how)
                && weight(now_how) >= weight(how)
                && (with.is_empty() || now_with == with)
        }
        _ => false,
    }
}

/// Whether `x now_op now_right` implies `x op right`.
fn bounds(now_op: Op, now_right: &str, now: &Value, op: Op, right: &str, then: &Value) -> bool {
    if let (Some(now_number), Some(number)) = (now.number, then.number) {
        let exact = now.tolerance.is_none() && now_op == Op::Eq;
        return match op {
            Op::Eq | Op::Is => {
                matches!(now_op, Op::Eq | Op::Is) && same(now_number, number) && is_no_wider(now, then)
            }
            Op::NotEq => {
                now_op == Op::NotEq && same(now_number, number) || exact && !same(now_number, number)
            }
            Op::Less => {
                (exact || now_op == Op::Less)
                    && (now_number < number || now_op == Op::Less && now_number <= number)
                    || now_op == Op::AtMost && now_number < number
            }
            Op::AtMost => (exact || matches!(now_op, Op::Less | Op::AtMost)) && now_number <= number,
            Op::More => {
                (exact || now_op == Op::AtLeast) && now_number > number
                    || now_op == Op::More && now_number >= number
            }
            Op::AtLeast => (exact || matches!(now_op, Op::More | Op::AtLeast)) && now_number >= number,
            _ => now_op == op,
        };
    }
    match op {
        _ if now_op == op => now_right == right && is_no_wider(now, then),
        Op::In => now_op == Op::Eq && right.contains(now_right),
        Op::Eq => now_op == Op::Is && now_right == right,
        Op::IsNot if right == "None" => {
            matches!(now_op, Op::Eq | Op::Is | Op::More | Op::AtLeast) && now_right != "None"
        }
        Op::NotEq | Op::NotIn => {
            now_op == Op::Eq && now_right != right && !now_right.is_empty() && op == Op::NotEq
        }
        _ => false,
    }
}

fn same(left: f64, right: f64) -> bool {
    (left - right).abs() <= f64::EPSILON * left.abs().max(right.abs())
}

/// Whether a tolerance is no wider than another.
fn is_no_wider(now: &Value, then: &Value) -> bool {
    match (&now.tolerance, &then.tolerance) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(now), Some(then)) => now.iter().all(|(name, width)| {
            let before = then.iter().find(|(known, _)| known == name).map(|(_, width)| *width);
            let usual = if name == "rel" { 1e-6 } else { 1e-12 };
            *width <= before.unwrap_or(usual)
        }),
    }
}

/// Whether an expected class is the same as another or known to be below it.
fn is_narrower(now: &str, then: &str) -> bool {
    let classes = |text: &str| -> Vec<String> {
        text.trim_matches(|c| matches!(c, '(' | ')'))
            .split(',')
            .map(|class| last(class.trim()).to_owned())
            .collect()
    };
    let then = classes(then);
    classes(now).iter().all(|class| {
        then.iter().any(|wide| {
            wide == class
                || wide == "BaseException"
                || wide == "Exception"
                    && !matches!(
                        class.as_str(),
                        "BaseException" | "CancelledError" | "KeyboardInterrupt" | "SystemExit"
                    )
                || wide == "Warning" && class.ends_with("Warning")
                || BELOW.iter().any(|(base, below)| base == wide && below.contains(&class.as_str()))
        })
    })
}

/// Classes of Python's own that tests expect, below their base.
const BELOW: [(&str, &[&str]); 5] = [
    (
        "OSError",
        &[
            "ConnectionError",
            "ConnectionRefusedError",
            "ConnectionResetError",
            "BrokenPipeError",
            "TimeoutError",
            "FileNotFoundError",
            "PermissionError",
        ],
    ),
    (
        "ConnectionError",
        &["ConnectionRefusedError", "ConnectionResetError", "BrokenPipeError", "ConnectionAbortedError"],
    ),
    ("LookupError", &["KeyError", "IndexError"]),
    ("RuntimeError", &["NotImplementedError", "RecursionError"]),
    ("ValueError", &["UnicodeDecodeError", "UnicodeEncodeError", "JSONDecodeError"]),
];
