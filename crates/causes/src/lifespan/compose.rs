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
    /// A blank line stands above it where it does not begin a block.
    pub spaced: bool,
    /// It is the header of a `with` that holds all that follows.
    pub context: bool,
    /// Which handler it comes from: steps of one that need nothing stay with their neighbours.
    pub handler: usize,
}

/// The body: start-up, `yielded` (`yield`), shutdown.
pub(crate) fn compose(startup: &[Step], shutdown: &[Step], yielded: &str) -> String {
    let (startup, shutdown) = guarded(startup, shutdown);
    let anchors = anchors(&startup, &shutdown);
    let mut composing = Composing { text: String::new(), startup, shutdown, anchors, yielded };
    composing.write(0, false, 0);
    composing.text
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

struct Composing<'y> {
    text: String,
    startup: Vec<Step>,
    shutdown: Vec<Step>,
    anchors: Vec<usize>,
    yielded: &'y str,
}

impl Composing<'_> {
    /// Start-up from step `at` on, and all that belongs to it; `guarded` says that the guard that begins here is open.
    fn write(&mut self, at: usize, guarded: bool, depth: usize) {
        if !guarded && self.anchors.contains(&at) {
            put(&mut self.text, "try:", depth);
            self.write(at, true, depth + 1);
            put(&mut self.text, "finally:", depth);
            for (step, &anchor) in self.shutdown.iter().zip(&self.anchors) {
                if anchor == at {
                    put(&mut self.text, &step.text, depth + 1);
                }
            }
            return;
        }
        let Some(step) = self.startup.get(at) else {
            put(&mut self.text, self.yielded, depth);
            return;
        };
        let begins = self.text.is_empty() || self.text.ends_with(":\n");
        if step.spaced && !begins {
            self.text.push('\n');
        }
        put(&mut self.text, &step.text, depth);
        let deeper = usize::from(step.context);
        self.write(at + 1, false, depth + deeper);
    }
}

/// A snippet this many levels deep.
fn put(text: &mut String, snippet: &str, depth: usize) {
    writeln!(text, "{}", shifted(snippet, depth)).expect("a string takes any text");
}
