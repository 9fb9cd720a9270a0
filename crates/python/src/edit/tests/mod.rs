//! One file for each room of primitives; all check that what parsed still parses.

mod arguments;
mod config;
mod expressions;
mod imports;
mod properties;
mod requirement;
mod statements;
mod wrap;

use super::{Edit, Refused, Source, StatementRef};

/// The text after the edits, which must parse.
pub(super) fn after(source: &Source, edits: Result<Vec<Edit>, Refused>) -> String {
    let edits = edits.expect("the primitive gives edits");
    let after = source.with(&edits).expect("the edits do not overlap");
    assert!(source.is_broken() || !after.is_broken(), "does not parse:\n{}", after.text());
    after.text().to_owned()
}

/// A parsed file.
pub(super) fn source(text: &str) -> Source {
    Source::parse("app.py", text)
}

/// The innermost statement at the first place of `needle`.
pub(super) fn at<'a>(source: &'a Source, needle: &str) -> StatementRef<'a> {
    let offset = source.text().find(needle).expect("the needle is in the text");
    source.statement_at_offset((offset as u32).into()).expect("a statement is there")
}
