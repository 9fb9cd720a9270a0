//! Edits of Python source: text in, edits out, nothing else touched.
//!
//! Start with [`Source::parse`], find nodes by their range (`statement_at`, `function_at`, `expr_at`, `call_at`), hand
//! nodes or ranges to a primitive, and collect its [`Edit`]s in an [`EditSet`]; [`Draft`] is for steps that build
//! on each other. Snippets are unindented text, four spaces a level, `\n` line ends. (Full cheat sheet follows.)

mod arguments;
mod asyncness;
mod block;
mod body;
mod change;
mod decorators;
mod draft;
mod items;
mod layout;
mod names;
mod refused;
mod snippet;
mod source;
mod statements;
mod wrap;

pub use arguments::{
    add_keyword, add_parameter, add_positional, remove_keyword, remove_parameter, remove_positional,
    replace_positional, set_keyword,
};
pub use asyncness::{add_await, make_async, make_sync, remove_await};
pub use block::{StatementRef, blocks_of, docstring, is_placeholder};
pub use body::{take_block, take_body};
pub use change::{Edit, EditSet, Overlap, apply};
pub use decorators::{
    add_decorator, add_decorator_keyword, decorators_of, remove_decorator, remove_decorator_keyword,
    replace_decorator, set_decorator_keyword,
};
pub use draft::{Draft, difference};
pub use layout::Run;
pub use names::{mentions, rename_local, replace_expr};
pub use refused::Refused;
pub use source::Source;
pub use statements::{
    Comments, delete_statement, delete_statements, insert_after, insert_at_end, insert_at_start,
    insert_before, move_statement, replace_statement, replace_statements, take_statement,
};
pub use wrap::{dedent_lines, indent_lines, unwrap, unwrap_first, wrap_statements};

#[cfg(test)]
mod tests;
