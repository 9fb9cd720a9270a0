//! What the prelude of a run noted: processes, functions that started, tasks left behind, tests.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::Suite;

/// Notes of one run, all processes together.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Tasks at work when their loop ended.
    pub left: Vec<LeftTask>,
    /// Functions of the project that started: path and qualified name.
    pub ran: BTreeSet<(String, String)>,
    /// Processes that started, each with whether it came to its end.
    pub processes: Vec<(String, bool)>,
    /// Tests, where any were run.
    pub suite: Suite,
}

/// A task that its loop's end found at work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftTask {
    /// Qualified name of its coroutine.
    pub name: String,
    /// File of the coroutine in the project; empty where it is a library's.
    pub path: String,
    /// Line of the coroutine's definition.
    pub line: u32,
    /// File in the project that made the task; empty where not known.
    pub made_in: String,
    /// Line that made it.
    pub made_at: u32,
}

impl LeftTask {
    /// Whether the project's code runs in it or made it.
    pub fn is_own(&self) -> bool {
        !self.path.is_empty() || !self.made_in.is_empty()
    }
}

impl Notes {
    /// Reads what the processes of a run wrote.
    pub fn read(text: &str) -> Self {
        let mut notes = Self::default();
        let mut processes: BTreeMap<String, (String, bool)> = BTreeMap::new();
        for line in text.lines() {
            let fields: Vec<String> = line.split('\t').map(unescaped).collect();
            let Some((process, fields)) = fields.split_first() else { continue };
            match fields.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                // The program's own path differs from tree to tree.
                ["start", _, command @ ..] => {
                    processes.insert(process.clone(), (command.join(" "), false));
                }
                ["end"] => {
                    if let Some((_, ended)) = processes.get_mut(process) {
                        *ended = true;
                    }
                }
                ["ran", path, name, _] => {
                    notes.ran.insert(((*path).to_owned(), (*name).to_owned()));
                }
                ["left", name, path, line, made_in, made_at] => notes.left.push(LeftTask {
                    name: (*name).to_owned(),
                    path: (*path).to_owned(),
                    line: line.parse().unwrap_or(0),
                    made_in: (*made_in).to_owned(),
                    made_at: made_at.parse().unwrap_or(0),
                }),
                ["collected", name, ..] => notes.suite.collected(name),
                ["test", name, word] => notes.suite.told(name, word),
                _ => {}
            }
        }
        notes.processes = processes.into_values().collect();
        notes.left.sort();
        notes.processes.sort();
        notes
    }

    /// How many own tasks of each name were left.
    pub fn left_by_name(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for task in self.left.iter().filter(|task| task.is_own()) {
            *counts.entry(task.name.as_str()).or_default() += 1;
        }
        counts
    }

    /// Commands of processes that did not come to their end.
    pub fn cut_off(&self) -> Vec<&str> {
        self.processes.iter().filter(|(_, ended)| !ended).map(|(command, _)| command.as_str()).collect()
    }
}

fn unescaped(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_back() {
        let notes = Notes::read(
            "7\tstart\tpython\t-m\tapp\n7\tran\tapp.py\tmain\t3\n7\tleft\tpoll\tapp.py\t9\tapp.py\t4\n9\tstart\tpython\tchild.py\n\
             9\tcollected\tt.py::a\n9\ttest\tt.py::a\tpassed\nnonsense\n7\tend\n",
        );
        assert_eq!(notes.cut_off(), ["child.py"]);
        assert_eq!(notes.left_by_name()["poll"], 1);
        assert!(notes.ran.contains(&("app.py".to_owned(), "main".to_owned())));
        assert_eq!(notes.suite.passed(), 1);
        assert_eq!(unescaped(r"a\tb\\n"), "a\tb\\n");
    }
}
