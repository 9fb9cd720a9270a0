//! What a program printed, before and after.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_model::OutputChange;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::normal::shape;

/// Lines of standard output, normalised, each with whether it came before the first sign of the trouble.
#[derive(Clone, Debug, Default)]
pub struct Printed {
    /// The lines that are not the symptom's own.
    pub lines: Vec<Line>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Normalised.
    pub text: String,
    /// Printed before the symptom was.
    pub early: bool,
}

/// What differs between runs of the same tree.
#[derive(Clone, Debug, Default)]
pub struct Varying {
    /// The shapes of lines whose numbers differ.
    shapes: BTreeSet<String>,
    /// Lines that are there in one run and not in another.
    lines: BTreeSet<String>,
    /// The order differs.
    order: bool,
}

/// How far what is printed may change.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latitude {
    /// Nothing marks where the trouble began: every line may tell of it.
    pub silent: bool,
    /// The trouble left work undone, or stopped the program: what it then printed of that may be replaced.
    pub work_was_missing: bool,
}

/// Words of a line that tells of a failure.
const TROUBLE: [&str; 22] = [
    "fail",
    "error",
    "lost",
    "timed out",
    "time-out",
    "timeout",
    "gave up",
    "giving up",
    "refused",
    "not ",
    "retry",
    "stale",
    "abort",
    "exception",
    "trouble",
    "unavailable",
    "cannot",
    "can't",
    "unable",
    "broken",
    "missing",
    "killed",
];

impl Varying {
    /// Learns from several runs of the tree as it was.
    pub fn learn(runs: &[&Printed]) -> Self {
        let mut varying = Self::default();
        let Some((first, rest)) = runs.split_first() else { return varying };
        for other in rest {
            let (left, right) = (counts(first), counts(other));
            let mut odd: Vec<&str> = Vec::new();
            for (text, count) in left.iter().filter(|(text, count)| right.get(*text) != Some(count)) {
                let _ = count;
                odd.push(text);
            }
            odd.extend(
                right.iter().filter(|(text, count)| left.get(*text) != Some(count)).map(|(text, _)| *text),
            );
            for text in &odd {
                let shape_of = shape(text);
                let twins = odd.iter().filter(|other| shape(other) == shape_of).count();
                if twins > 1 {
                    varying.shapes.insert(shape_of);
                } else {
                    varying.lines.insert((*text).to_owned());
                }
            }
            varying.order |= odd.is_empty()
                && first.lines.iter().map(|line| &line.text).ne(other.lines.iter().map(|line| &line.text));
        }
        varying
    }

    fn key(&self, text: &str) -> String {
        let shape = shape(text);
        if self.shapes.contains(&shape) { shape } else { text.to_owned() }
    }
}

fn counts(printed: &Printed) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for line in &printed.lines {
        *counts.entry(line.text.as_str()).or_default() += 1;
    }
    counts
}

/// Compares; `exit` is for the words of both ends.
pub fn compare(
    before: &Printed,
    after: &Printed,
    varying: &Varying,
    latitude: Latitude,
    exit: (String, String),
) -> OutputChange {
    let mut change = OutputChange { exit, ..OutputChange::default() };
    let keep = |line: &&Line| !varying.lines.contains(&line.text);
    let left: Vec<&Line> = before.lines.iter().filter(keep).collect();
    let right: Vec<&Line> = after.lines.iter().filter(keep).collect();
    let mut left_keys: Vec<String> = left.iter().map(|line| varying.key(&line.text)).collect();
    let mut right_keys: Vec<String> = right.iter().map(|line| varying.key(&line.text)).collect();
    let mut left_order: Vec<usize> = (0..left.len()).collect();
    let mut right_order: Vec<usize> = (0..right.len()).collect();
    if varying.order {
        left_order.sort_by(|one, other| left_keys[*one].cmp(&left_keys[*other]));
        right_order.sort_by(|one, other| right_keys[*one].cmp(&right_keys[*other]));
        left_keys.sort();
        right_keys.sort();
    }
    change.compared = left.len();
    let mut lost: Vec<&Line> = Vec::new();
    let mut gained: Vec<&Line> = Vec::new();
    for operation in capture_diff_slices(Algorithm::Patience, &left_keys, &right_keys) {
        match operation {
            DiffOp::Equal { .. } => {}
            DiffOp::Delete { old_index, old_len, .. } => {
                lost.extend(left_order[old_index..old_index + old_len].iter().map(|index| left[*index]));
            }
            DiffOp::Insert { new_index, new_len, .. } => {
                gained.extend(right_order[new_index..new_index + new_len].iter().map(|index| right[*index]));
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                lost.extend(left_order[old_index..old_index + old_len].iter().map(|index| left[*index]));
                gained.extend(right_order[new_index..new_index + new_len].iter().map(|index| right[*index]));
            }
        }
    }
    // What only moved was not lost: tasks that end in another order print in another order.
    lost.retain(|line| match gained.iter().position(|other| other.text == line.text) {
        Some(position) => {
            gained.remove(position);
            false
        }
        None => true,
    });
    for line in lost {
        let lower = line.text.to_lowercase();
        // Two streams that come at once come in no certain order: words of trouble belong to it wherever they stand.
        let trouble = TROUBLE.iter().any(|word| lower.contains(word));
        let may = latitude.work_was_missing && (latitude.silent || trouble || !line.early);
        let twin = gained.iter().position(|other| {
            (may && is_instead(&line.text, &other.text)) || is_less_left(&line.text, &other.text)
        });
        if let Some(position) = twin {
            let other = gained.remove(position);
            change.instead.push((line.text.clone(), other.text.clone()));
        } else if !(may && trouble) {
            change.lost.push(line.text.clone());
        }
    }
    change.gained = gained.into_iter().map(|line| line.text.clone()).collect();
    change
}

/// Whether a program that counts what it left open counts less of it.
fn is_less_left(before: &str, after: &str) -> bool {
    const LEFT: [&str; 7] = ["left", "leak", "open", "unclosed", "pending", "remaining", "alive"];
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
    };
    let (then, now) = (numbers(before), numbers(after));
    let words = before.to_lowercase();
    shape(before) == shape(after)
        && LEFT.iter().any(|word| words.contains(word))
        && then.len() == now.len()
        && then.iter().zip(&now).all(|(then, now)| now <= then)
}

/// Whether one line says of another outcome what the other says: the same words first, or the same words but for numbers.
fn is_instead(before: &str, after: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphabetic())
            .filter(|word| word.len() > 1)
            .map(str::to_lowercase)
            .collect()
    };
    // An answer that was good is not made up for by one that is not.
    if let (Some((asked, good)), Some((also, now))) = (before.split_once(" -> "), after.split_once(" -> ")) {
        return asked == also && (now.starts_with('2') || !good.starts_with('2'));
    }
    let (left, right) = (words(before), words(after));
    if left.is_empty() || right.is_empty() {
        return false;
    }
    left.first() == right.first() || left == right
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> Printed {
        Printed { lines: text.lines().map(|line| Line { text: line.to_owned(), early: false }).collect() }
    }

    fn changed(before: &str, after: &str, work_was_missing: bool) -> OutputChange {
        let before = printed(before);
        let varying = Varying::learn(&[&before, &before]);
        compare(
            &before,
            &printed(after),
            &varying,
            Latitude { silent: false, work_was_missing },
            Default::default(),
        )
    }

    #[test]
    fn the_same_is_the_same() {
        let change = changed("a\nb 2\n", "a\nb 2\n", false);
        assert_eq!((change.compared, change.lost.len(), change.gained.len()), (2, 0, 0));
    }

    #[test]
    fn a_line_that_is_gone_is_lost() {
        assert_eq!(changed("a\nb\nc\n", "a\nc\n", true).lost, ["b"]);
        assert_eq!(changed("total 420\n", "total 0\n", false).lost, ["total 420"]);
        assert_eq!(changed("sent 3\nsent 3\n", "sent 3\n", false).lost, ["sent 3"]);
    }

    #[test]
    fn missing_work_that_is_done_now_stands_in_the_place_of_what_was_said_of_it() {
        let change =
            changed("orders: 5\naudit entries: 0 of 5\n", "orders: 5\naudit entries: 5 of 5\n", true);
        assert!(change.lost.is_empty());
        assert_eq!(
            change.instead,
            [("audit entries: 0 of 5".to_owned(), "audit entries: 5 of 5".to_owned())]
        );
        let change = changed("lease still held by a\n", "lease free\n", true);
        assert_eq!(change.instead.len(), 1);
        assert_eq!(changed("lease still held\n", "all quiet\n", true).lost.len(), 1);
    }

    #[test]
    fn what_was_said_before_the_trouble_stays() {
        let early = Printed { lines: vec![Line { text: "sent 3 items".to_owned(), early: true }] };
        let latitude = Latitude { silent: false, work_was_missing: true };
        let change =
            compare(&early, &printed("sent 2 items\n"), &Varying::default(), latitude, Default::default());
        assert_eq!(change.lost, ["sent 3 items"]);
    }

    #[test]
    fn what_tells_of_the_failure_may_go_and_a_good_answer_may_not() {
        assert!(changed("item 2 failed: closed\n", "item 2 stored\n", true).lost.is_empty());
        assert!(changed("gave up\n", "", true).lost.is_empty());
        assert_eq!(changed("GET /a -> 500 x\n", "GET /a -> 200 y\n", true).instead.len(), 1);
        assert_eq!(changed("GET /a -> 200 x\n", "GET /a -> 503 y\n", true).lost.len(), 1);
    }

    #[test]
    fn fewer_things_left_open_are_no_loss() {
        assert_eq!(changed("connections left: 1\n", "connections left: 0\n", false).instead.len(), 1);
        assert_eq!(changed("connections left: 1\n", "connections left: 2\n", false).lost.len(), 1);
        assert_eq!(changed("rows stored: 3\n", "rows stored: 2\n", false).lost.len(), 1);
    }

    #[test]
    fn more_is_gained() {
        let change = changed("a\n", "a\nb\n", false);
        assert_eq!((change.lost.len(), change.gained), (0, vec!["b".to_owned()]));
    }

    #[test]
    fn what_varies_by_itself_does_not_count() {
        let one = printed("start\ntook 3 steps\nw1\nw2\n");
        let two = printed("start\ntook 4 steps\nw2\nw1\n");
        let varying = Varying::learn(&[&one, &two]);
        let after = printed("start\ntook 9 steps\nw2\nw1\n");
        let change = compare(&one, &after, &varying, Latitude::default(), Default::default());
        assert!(change.lost.is_empty(), "{change:?}");
        let less = printed("start\nw2\nw1\n");
        assert_eq!(compare(&one, &less, &varying, Latitude::default(), Default::default()).lost.len(), 1);
    }
}
