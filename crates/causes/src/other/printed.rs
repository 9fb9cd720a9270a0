//! Lines that the program's own handlers print.

use loopmend_python::facts::{ExprKind, StmtKind};
use loopmend_python::lifecycle::{FileId, FunctionRef, Lifecycle};

/// An `except` that reports what it caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// The function that it is in.
    pub function: FunctionRef,
    /// Its first line.
    pub line: u32,
    /// The words that it prints before what it caught, as in the source.
    pub words: String,
}

/// Fewer letters than this may stand anywhere by chance.
const LETTERS: usize = 5;

/// The `except` of the tree that prints this line before what it caught: its literal words stand in it.
pub fn handler_that_prints(life: &Lifecycle, line: &str) -> Option<Handler> {
    life.files().find_map(|file| {
        let text = life.text(file);
        if !text.contains("except") {
            return None;
        }
        in_file(life, file, line)
    })
}

fn in_file(life: &Lifecycle, file: FileId, line: &str) -> Option<Handler> {
    let facts = life.facts(file);
    for stmt in &facts.stmts {
        let StmtKind::Try { handlers, .. } = &stmt.kind else { continue };
        for handler in handlers {
            let Some(name) = &handler.name else { continue };
            let mut words = None;
            facts.walk_exprs(&handler.body, &mut |id| {
                let ExprKind::Call { args, .. } = &facts.expr(id).kind else { return };
                let mut caught = false;
                let mut said: Option<String> = None;
                for &argument in args {
                    facts.descend(argument, &mut |part| match &facts.expr(part).kind {
                        ExprKind::Name(read) if read == name => caught = true,
                        ExprKind::Str(text) if said.is_none() => said = leading(text, line),
                        ExprKind::Other(_) if said.is_none() => {
                            let range = facts.expr(part).range;
                            let source = &life.text(file)[range.start().to_usize()..range.end().to_usize()];
                            said = formatted(source).and_then(|text| leading(text, line));
                        }
                        _ => {}
                    });
                }
                if caught && words.is_none() {
                    words = said;
                }
            });
            if let Some(words) = words {
                let start = handler.range.start();
                let function = FunctionRef { file, id: facts.function_at(start) };
                return Some(Handler { function, line: facts.lines.line(start), words });
            }
        }
    }
    None
}

/// The text of a formatted string up to its first placeholder; none where it is no formatted string.
fn formatted(source: &str) -> Option<&str> {
    let rest = source.trim_start_matches(['f', 'F', 'r', 'R']);
    if rest.len() == source.len() {
        return None;
    }
    let text = rest.trim_start_matches(['"', '\'']);
    (text.len() < rest.len()).then(|| text.split(['"', '\'']).next().unwrap_or(text))
}

/// The words of a message before its first placeholder, if they stand in the line.
fn leading(text: &str, line: &str) -> Option<String> {
    let words = text.split(['%', '{']).next().unwrap_or(text).trim();
    let letters = words.chars().filter(|c| c.is_alphabetic()).count();
    (letters >= LETTERS && line.contains(words)).then(|| words.to_owned())
}
