//! Where a new import line goes.

use ruff_python_ast::Stmt;

use super::bindings::module_of;
use super::block::{StatementRef, docstring};
use super::change::Edit;
use super::imports::ImportRequest;
use super::snippet::lines_at;
use super::source::Source;
use super::standard_library::is_standard;

/// Sections in the order that isort gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Future,
    Standard,
    /// Third-party and first-party packages: told apart only by the groups that are there.
    Package(usize),
    Relative,
}

#[derive(Clone, Debug)]
struct Line<'a> {
    statement: StatementRef<'a>,
    module: String,
    from: bool,
    /// Number of its run of lines without a blank line.
    group: usize,
}

/// The edit that puts a request on a line of its own.
pub(super) fn new_import(source: &Source, request: &ImportRequest, alias: Option<&str>) -> Vec<Edit> {
    let alias = alias.map_or_else(String::new, |alias| format!(" as {alias}"));
    let (module, newline) = (&request.module, source.newline());
    let text = match &request.name {
        Some(name) => format!("from {module} import {name}{alias}{newline}"),
        None => format!("import {module}{alias}{newline}"),
    };
    let lines = import_lines(source);
    if lines.is_empty() {
        return vec![first_import(source, &text)];
    }
    let section = section_of(source, &lines, module);
    let sections: Vec<Section> = lines.iter().map(|line| known_section(&lines, line)).collect();
    let separated = sections
        .windows(2)
        .zip(lines.windows(2))
        .all(|(pair, lines)| pair[0] == pair[1] || lines[0].group != lines[1].group);
    let blank = if separated { newline } else { "" };
    let same: Vec<&Line> =
        lines.iter().zip(&sections).filter(|(_, known)| **known == section).map(|(l, _)| l).collect();
    if same.is_empty() {
        let later = lines.iter().zip(&sections).find(|(_, known)| **known > section).map(|(line, _)| line);
        return match later {
            Some(line) => {
                let above = source.comments_above(line.statement);
                // Comments from the first line on are the file's, not the import's.
                let header = source.line_above(above).is_none();
                let at = if header { source.first_line(line.statement) } else { above };
                vec![Edit::insertion(at, text + blank)]
            }
            None => after(source, &lines[lines.len() - 1], &format!("{blank}{text}")),
        };
    }
    let straight_first = |line: &Line| (line.from, line.module.to_lowercase());
    let by_module = |line: &Line| (false, line.module.to_lowercase());
    let mine = |both: bool| (both && request.name.is_some(), module.to_lowercase());
    let next = if same.iter().map(|line| straight_first(line)).is_sorted() {
        same.iter().find(|line| straight_first(line) > mine(true))
    } else if same.iter().map(|line| by_module(line)).is_sorted() {
        same.iter().find(|line| by_module(line) > mine(false))
    } else {
        None
    };
    let Some(next) = next else { return after(source, same[same.len() - 1], &text) };
    let above = source.comments_above(next.statement);
    // A comment at the head of a group is the group's; elsewhere it is the next line's.
    let head = lines
        .iter()
        .find(|line| line.group == next.group)
        .is_some_and(|first| first.statement.index == next.statement.index);
    let at = if head { source.first_line(next.statement) } else { above };
    vec![Edit::insertion(at, text)]
}

fn after(source: &Source, line: &Line, text: &str) -> Vec<Edit> {
    let at = source.lines_end(line.statement);
    vec![Edit::insertion(at, lines_at(source, at, text))]
}

/// The first run of imports at module level.
fn import_lines(source: &Source) -> Vec<Line<'_>> {
    let body = source.body();
    let mut lines: Vec<Line> = Vec::new();
    let mut group = 0;
    for (index, stmt) in body.iter().enumerate() {
        let statement = StatementRef { stmt, body, index, owner: None };
        let mut add = |module: String, from: bool| {
            if !lines.is_empty() && source.blank_above(source.comments_above(statement)).0 > 0 {
                group += 1;
            }
            lines.push(Line { statement, module, from, group });
        };
        match stmt {
            Stmt::Import(node) => {
                add(node.names.first().map_or(String::new(), |alias| alias.name.to_string()), false);
            }
            Stmt::ImportFrom(node) => add(module_of(node), true),
            _ if lines.is_empty() => {}
            _ => break,
        }
    }
    lines
}

fn plain_section(module: &str) -> Section {
    match module {
        "__future__" => Section::Future,
        module if module.starts_with('.') => Section::Relative,
        module if is_standard(module) => Section::Standard,
        _ => Section::Package(0),
    }
}

fn known_section(lines: &[Line], line: &Line) -> Section {
    match plain_section(&line.module) {
        Section::Package(_) => Section::Package(package_group(lines, line.group)),
        section => section,
    }
}

/// The number of a group among those that have packages in them.
fn package_group(lines: &[Line], group: usize) -> usize {
    let mut groups: Vec<usize> = Vec::new();
    for line in lines {
        if plain_section(&line.module) == Section::Package(0) && !groups.contains(&line.group) {
            groups.push(line.group);
        }
    }
    groups.iter().position(|known| *known == group).unwrap_or(0)
}

/// The section of a module that is not imported yet: packages go to their own kind's group, if there is one.
fn section_of(source: &Source, lines: &[Line], module: &str) -> Section {
    let section = plain_section(module);
    if section != Section::Package(0) {
        return section;
    }
    let package = |module: &str| module.split('.').next().unwrap_or(module).to_owned();
    if let Some(sibling) = lines.iter().find(|line| package(&line.module) == package(module)) {
        return known_section(lines, sibling);
    }
    let own =
        source.path().split('/').any(|part| part.strip_suffix(".py").unwrap_or(part) == package(module));
    let groups = lines.iter().filter(|line| plain_section(&line.module) == section).map(|line| line.group);
    match groups.max() {
        Some(last) if own => Section::Package(package_group(lines, last)),
        _ => section,
    }
}

/// The edit that makes `text` the file's first import: behind docstring and header comments.
fn first_import(source: &Source, text: &str) -> Edit {
    let newline = source.newline();
    let body = source.body();
    let wanted = |next: Option<&Stmt>| match next {
        Some(Stmt::FunctionDef(_) | Stmt::ClassDef(_)) => 2,
        Some(_) => 1,
        None => 0,
    };
    if let Some(first) = docstring(body) {
        let statement = StatementRef { stmt: first, body, index: 0, owner: None };
        let at = source.lines_end(statement);
        let below = source.blank_below(at).0;
        let blank = newline.repeat(wanted(body.get(1)).max(below) - below);
        return Edit::insertion(at, lines_at(source, at, &format!("{newline}{text}{blank}")));
    }
    let Some(first) = body.first() else {
        // Comments only, or nothing.
        let lead = if source.text().trim().is_empty() { "" } else { newline };
        return Edit::insertion(source.end(), lines_at(source, source.end(), &format!("{lead}{text}")));
    };
    let statement = StatementRef { stmt: first, body, index: 0, owner: None };
    let (own, above) = (source.first_line(statement), source.comments_above(statement));
    // Comments from the first line on are the file's, not the statement's.
    let at = if source.line_above(above).is_none() { own } else { above };
    let attached = source.line_above(at).is_some() && source.blank_above(at).0 == 0;
    let lead = if attached { newline } else { "" };
    Edit::insertion(at, format!("{lead}{text}{}", newline.repeat(wanted(Some(first)))))
}
