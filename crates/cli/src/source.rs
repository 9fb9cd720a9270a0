//! Annotated source: excerpts of files with marks under what is meant.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Renderer, Snippet};

use crate::printable::push_printable;

/// Something to point at in a file.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// Column after the last character.
    pub end_column: u32,
    /// What is said of it.
    pub label: &'a str,
    /// Whether it is what the excerpt is about.
    pub primary: bool,
}

impl<'a> Mark<'a> {
    /// A mark on the statement that starts at a place.
    pub fn at(line: u32, column: u32, label: &'a str) -> Self {
        Self { line, column, end_line: line, end_column: u32::MAX, label, primary: false }
    }
}

/// Longer stretches are marked on their first line only.
const LONGEST_MARK: u32 = 5;
/// Lines shown around a mark.
const AROUND: u32 = 1;

/// The part of a file that holds the marks, fit for a terminal; `None` where no mark lies in the file.
pub fn excerpt(path: &str, text: &str, marks: &[Mark]) -> Option<Snippet<'static, Annotation<'static>>> {
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let marks: Vec<&Mark> =
        marks.iter().filter(|mark| mark.line >= 1 && mark.line as usize <= lines.len()).collect();
    let first = marks.iter().map(|mark| mark.line).min()?.saturating_sub(AROUND).max(1);
    let last = marks.iter().map(|mark| last_line(mark)).max()?.saturating_add(AROUND).min(lines.len() as u32);

    let mut shown = String::new();
    let mut starts = Vec::new();
    for line in &lines[first as usize - 1..last as usize] {
        starts.push(shown.len());
        for c in line.chars() {
            push_shown(&mut shown, c);
        }
        shown.push('\n');
    }
    let offset = |line: u32, column: u32| {
        let line = line.clamp(first, last);
        let text = lines[line as usize - 1];
        let mut before = String::new();
        text.chars().take(column.saturating_sub(1) as usize).for_each(|c| push_shown(&mut before, c));
        starts[(line - first) as usize] + before.len()
    };
    let annotations: Vec<_> = marks
        .iter()
        .map(|mark| {
            let start = offset(mark.line, mark.column);
            let cut = last_line(mark) != mark.end_line;
            let end = offset(last_line(mark), if cut { u32::MAX } else { mark.end_column });
            let kind = if mark.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            kind.span(start..end.max(start + 1).min(shown.len()))
                .label(crate::printable::printable_line(mark.label).into_owned())
        })
        .collect();
    Some(Snippet::source(shown).path(path.to_owned()).line_start(first as usize).annotations(annotations))
}

/// The rendered text, with styles.
pub fn render(groups: &[Group<'_>]) -> String {
    let renderer =
        Renderer::styled().decor_style(if cfg!(windows) { DecorStyle::Ascii } else { DecorStyle::Unicode });
    renderer.render(groups)
}

fn push_shown(shown: &mut String, c: char) {
    if c == '\t' {
        shown.push(c);
    } else {
        push_printable(shown, c);
    }
}

fn last_line(mark: &Mark) -> u32 {
    if mark.end_line.saturating_sub(mark.line) > LONGEST_MARK {
        mark.line
    } else {
        mark.end_line.max(mark.line)
    }
}
