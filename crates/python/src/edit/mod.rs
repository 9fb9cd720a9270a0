//! Edits of Python source: text in, edits out, nothing else touched. Comments, quotes, tabs, CRLF stay; lines
//! inside strings (and f-strings) over several lines are never moved.
//!
//! Every primitive takes `&Source` and nodes *or* ranges (`impl Ranged`: a `TextRange`, `&Stmt`, `&Expr`,
//! `StatementRef`, …) of that same source, and gives `Vec<Edit>` or why not ([`Refused`]). "Nothing to do" is an empty
//! list. A *snippet* is text without indent at its first level, **four spaces a level below, `\n` line ends**: it
//! is turned into the file's units and line ends.
//!
//! # Source and lookup
//! ```text
//! let source = Source::parse("app/main.py", text);              // total; source.is_broken() tells of syntax errors
//! source.statement_at(range) -> Option<StatementRef>            // innermost; .stmt .body .index .owner .next() .previous()
//! source.statement_at_offset(offset); source.statements_at(range)           // all that hold it, outermost first
//! source.function_at(range); source.enclosing_function(range)   // innermost def holding it / in whose body it lies
//! source.function_named("Class.method")                         // at module level or in a class there
//! source.expr_at(range); source.call_at(range); source.exprs_at(range)
//! source.slice(node) -> &str; source.quoted("text") -> String   // in the file's quotes
//! source.indent_of(stmt); source.lines_of(stmt)                 // whole lines with comments above, decorators, comment behind
//! source.unit(); source.newline(); source.quote(); source.body(); source.comments(); source.position(offset)
//! source.with(&edits)? -> Source                                // the file after edits, parsed anew
//! ```
//! # Edits
//! ```text
//! Edit::insertion(offset, "x"); Edit::deletion(range); Edit::replacement(range, "x")
//! apply(text, &edits) -> Result<String, Overlap>                // insertions at one offset keep the order given
//! EditSet::new(); set.extend(path, edits); set.apply(path, text)
//! // Steps that build on each other (wrap, then insert inside): ranges of each step are of draft.source().
//! let mut draft = Draft::new(&source); draft.step(|now| wrap_statements(now, …))?; draft.edits() -> Vec<Edit> of source
//! difference(before, after) -> Vec<Edit>
//! ```
//! # Blocks
//! ```text
//! wrap_statements(s, run, "try:", &[("finally:", "await pool.close()")])     // run: a range over neighbours in one block
//! wrap_statements(s, run, "async with A() as a:\n    try:", &[("    except OSError:", "log()\nraise")])  // deeper headers
//! unwrap(s, with_stmt)            // header off, body one level out; refuses where clauses would be lost
//! unwrap_first(s, try_stmt)       // keeps the first block, drops `except`, `finally`, `else`
//! indent_lines(s, range); dedent_lines(s, range)
//! ```
//! # Statements
//! ```text
//! insert_before(s, stmt, "a()\nif b:\n    c()")     // above the comments directly above it; definitions get their blank lines
//! insert_after(s, stmt, snippet)                    // below its lines and trailing comment
//! insert_at_start(s, &function.body, snippet)       // behind the docstring; a lone `pass` or `...` gives way
//! insert_at_end(s, &function.body, snippet)
//! replace_statement(s, stmt, snippet); replace_statements(s, run, snippet)   // comments above and behind stay
//! delete_statement(s, stmt, Comments::Delete); delete_statements(s, run, Comments::Keep)  // lone one leaves `pass`
//! move_statement(s, stmt, before_stmt)              // with comments and decorators, re-indented
//! take_statement(s, run) -> snippet; take_body(s, function) -> snippet without docstring; take_block(s, &body) -> snippet
//! ```
//! # Calls, definitions, decorators
//! ```text
//! add_keyword(s, call, "lifespan", "lifespan"); set_keyword(s, call, "k", "v"); remove_keyword(s, call, "k")
//! add_positional(s, call, "x"); replace_positional(s, call, 0, "x"); remove_positional(s, call, 0)
//! add_parameter(s, function, "stopping: asyncio.Event"); remove_parameter(s, function, "loop")
//! decorators_of(s, function) -> &[Decorator]
//! add_decorator(s, function, "@asynccontextmanager"); remove_decorator(s, d); replace_decorator(d, "@x")
//! set_decorator_keyword(s, d, "scope", "\"session\"")   // `@pytest.fixture` becomes `@pytest.fixture(scope="session")`
//! add_decorator_keyword(s, d, "k", "v"); remove_decorator_keyword(s, d, "scope")          // …and back
//! ```
//! # Expressions and names
//! ```text
//! add_await(s, expr)                                // with the brackets it needs: `(await f()).x`
//! remove_await(s, expr)
//! make_async(s, stmt); make_sync(s, stmt)           // def, with, for
//! replace_expr(s, expr, "await g()")                // in brackets where the new place needs them
//! rename_local(s, function, "old", "new"); mentions(&body, "name") -> bool
//! ```
//! # Imports
//! ```text
//! let (edits, locals) = import_edits(s, &[ImportRequest::module("asyncio"), ImportRequest::from("contextlib", "aclosing")]);
//! // locals[0] is the expression to use: "asyncio", or "aio" after `import asyncio as aio`; locals[1] "aclosing"
//! ImportRequest::from("a", "b").named("c")          // `from a import b as c`
//! remove_import(s, "asyncio")                       // only if named nowhere else
//! remove_import_after(s, &edits, "asyncio")         // … once `edits` are made
//! ```
//! # Configuration
//! ```text
//! set_toml_key(text, &["tool", "pytest", "ini_options"], "asyncio_mode", "\"auto\"")? -> String   // the value is TOML
//! set_ini_key(text, "pytest", "asyncio_mode", "auto") -> String
//! requirements("pyproject.toml", text, "redis") -> Vec<Requirement>; requirement.raised("4.5.5")? -> Option<Edit>
//! ```

mod arguments;
mod asyncness;
mod bindings;
mod block;
mod body;
mod change;
mod config;
mod decorators;
mod draft;
mod import_block;
mod imports;
mod items;
mod layout;
mod names;
mod refused;
mod requirement;
mod snippet;
mod source;
mod standard_library;
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
pub use config::{set_ini_key, set_toml_key};
pub use decorators::{
    add_decorator, add_decorator_keyword, decorators_of, remove_decorator, remove_decorator_keyword,
    replace_decorator, set_decorator_keyword,
};
pub use draft::{Draft, difference};
pub use imports::{ImportRequest, import_edits, remove_import, remove_import_after};
pub use layout::Run;
pub use names::{mentions, rename_local, replace_expr};
pub use refused::Refused;
pub use requirement::{Requirement, requirements};
pub use snippet::shifted;
pub use source::Source;
pub use statements::{
    Comments, delete_statement, delete_statements, insert_after, insert_at_end, insert_at_start,
    insert_before, move_statement, replace_statement, replace_statements, take_statement,
};
pub use wrap::{dedent_lines, indent_lines, unwrap, unwrap_first, wrap_statements};

#[cfg(test)]
mod tests;
