//! Troubles of which Python says nothing: the log has only what the program itself prints.

use loopmend_causes::Found;
use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{FileId, Lifecycle};

use crate::Ranked;

/// Letters that words of the source need to be known again in a log.
const LETTERS: usize = 6;

/// The findings that explain a text without any error, where this tree printed it: those that print nothing themselves.
pub fn silent(life: &Lifecycle, text: &str, found: &[Found]) -> Vec<Ranked> {
    let fitting: Vec<usize> = found
        .iter()
        .enumerate()
        .filter(|(_, found)| found.silent && !found.doubtful && !found.unwinding)
        .map(|(index, _)| index)
        .collect();
    if fitting.is_empty() {
        return Vec::new();
    }
    let Some((printer, words)) = printed(life, text) else { return Vec::new() };
    // Of a tree of several programs, the one that printed it.
    let folder = |file: FileId| life.facts(file).path.split_once('/').map(|(folder, _)| folder);
    let home = |index: &usize| folder(found[*index].spot.file) == folder(printer);
    let near = folder(printer).is_some() && fitting.iter().any(home);
    fitting
        .into_iter()
        .filter(|index| !near || home(index))
        .map(|index| Ranked {
            index,
            points: 10,
            placed: true,
            reasons: vec![
                format!("the log is of this program: it prints `{words}`"),
                "the log has no error, and this defect prints none: what is missing is the only sign of it"
                    .to_owned(),
            ],
            symptoms: Vec::new(),
        })
        .collect()
}

/// Words that the tree prints and the log has, and the file that has them.
fn printed(life: &Lifecycle, text: &str) -> Option<(FileId, String)> {
    life.files().find_map(|file| {
        let facts = life.facts(file);
        facts.calls.iter().find_map(|&call| {
            let ExprKind::Call { func, args, .. } = &facts.expr(call).kind else { return None };
            let dotted = facts.dotted(*func)?;
            let last = dotted.rsplit('.').next().unwrap_or(&dotted);
            if !matches!(
                last,
                "print" | "write" | "info" | "warning" | "error" | "debug" | "log" | "echo" | "exception"
            ) {
                return None;
            }
            args.iter().find_map(|&argument| {
                let range = facts.expr(argument).range;
                let source = &life.text(file)[range.start().to_usize()..range.end().to_usize()];
                let piece = pieces(source).into_iter().find(|piece| text.contains(piece.as_str()))?;
                Some((file, piece))
            })
        })
    })
}

/// The literal words of a string as it is written, formatted or not.
fn pieces(source: &str) -> Vec<String> {
    let body = source.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let text = body.trim_start_matches(['"', '\'']);
    if text.len() == body.len() {
        return Vec::new();
    }
    let text = text.trim_end_matches(['"', '\'']);
    text.split(['{', '}', '%', '\\'])
        .map(|piece| piece.trim().to_owned())
        .filter(|piece| piece.chars().filter(|c| c.is_alphabetic()).count() >= LETTERS)
        .collect()
}
