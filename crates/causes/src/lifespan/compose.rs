//! The text of a lifespan's body from start-up and shutdown steps: each shutdown step in a `finally` that begins where
//! what it needs has been opened.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use loopmend_python::edit::shifted;

/// One statement or call of start-up or shutdown, as a snippet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    /// The text, with a line ending.
    pub text: String,
    /// Keys of objects that it binds or opens.
    pub gives: BTreeSet<String>,
    /// Keys of objects that it names.
    pub names: BTreeSet<String>,
    /// Of what it binds, the targets that stay unbound where it swallows an error: key and text.
    pub maybe: Vec<(String, String)>,
    /// It is one expression statement.
    pub plain: bool,
    /// Which handler it comes from: steps of one that need nothing stay with their neighbours.
    pub handler: usize,
}

/// The body: start-up, `yielded` (`yield`), shutdown.
pub(crate) fn compose(startup: &[Step], shutdown: &[Step], yielded: &str) -> String {
    let (startup, shutdown) = &guarded(startup, shutdown);
    let anchors = anchors(startup, shutdown);
    let levels: Vec<usize> = anchors.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let mut text = String::new();
    write(&mut text, startup, shutdown, &anchors, &levels, 0, 0, yielded);
    text
}

/// What start-up may leave unset because it goes on after an error is none first, and tested by shutdown.
fn guarded(startup: &[Step], shutdown: &[Step]) -> (Vec<Step>, Vec<Step>) {
    let (mut startup, mut shutdown) = (startup.to_vec(), shutdown.to_vec());
    for before in &mut startup {
        let mut first = String::new();
        for (key, target) in &before.maybe {
            let mut tested = false;
            for after in shutdown.iter_mut().filter(|after| after.plain && after.names.contains(key)) {
                after.text = format!("if {target} is not None:\n{}\n", shifted(&after.text, 1));
                after.plain = false;
                tested = true;
            }
            if tested {
                writeln!(first, "{target} = None").expect("a string takes any text");
            }
        }
        before.text.insert_str(0, &first);
    }
    (startup, shutdown)
}

/// After how many start-up steps the guard of each shutdown step begins.
fn anchors(startup: &[Step], shutdown: &[Step]) -> Vec<usize> {
    let own: Vec<Option<usize>> = shutdown
        .iter()
        .map(|step| {
            startup.iter().rposition(|before| !before.gives.is_disjoint(&step.names)).map(|index| index + 1)
        })
        .collect();
    (0..shutdown.len())
        .map(|index| {
            let same = |other: &usize| shutdown[*other].handler == shutdown[index].handler;
            let before = (0..=index).rev().take_while(same).find_map(|other| own[other]);
            let whole = || (0..shutdown.len()).filter(same).filter_map(|other| own[other]).max();
            before.or_else(whole).unwrap_or(startup.len())
        })
        .collect()
}

#[expect(clippy::too_many_arguments, reason = "one recursive walk over four lists")]
fn write(
    text: &mut String,
    startup: &[Step],
    shutdown: &[Step],
    anchors: &[usize],
    levels: &[usize],
    done: usize,
    depth: usize,
    yielded: &str,
) {
    let Some((&level, inner)) = levels.split_first() else {
        startup[done..].iter().for_each(|step| put(text, &step.text, depth));
        put(text, yielded, depth);
        return;
    };
    startup[done..level].iter().for_each(|step| put(text, &step.text, depth));
    put(text, "try:", depth);
    write(text, startup, shutdown, anchors, inner, level, depth + 1, yielded);
    put(text, "finally:", depth);
    for (step, &anchor) in shutdown.iter().zip(anchors) {
        if anchor == level {
            put(text, &step.text, depth + 1);
        }
    }
}

fn put(text: &mut String, snippet: &str, depth: usize) {
    writeln!(text, "{}", shifted(snippet, depth)).expect("a string takes any text");
}
