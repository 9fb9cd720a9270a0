//! A finding, with what its cause knows of it.

use std::any::Any;
use std::sync::Arc;

use loopmend_model::{Applicability, Finding, Location, Related};
use loopmend_python::facts::TextRange;
use loopmend_python::lifecycle::{ClassRef, ExprRef, FileId, FunctionRef, Lifecycle, StmtRef};

/// A place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spot {
    /// The file.
    pub file: FileId,
    /// The text.
    pub range: TextRange,
}

/// One defect at one place.
#[derive(Clone)]
pub struct Found {
    /// Slug of the cause.
    pub cause: &'static str,
    /// The cause's own place: where the object is made or owned, where the loop is ended too early.
    pub spot: Spot,
    /// What is wrong and why it bites, in one or two sentences. Names things, not line numbers.
    pub message: String,
    /// The trust in its fix.
    pub applicability: Applicability,
    /// Other places, each with a few words, the most telling first.
    pub related: Vec<(Spot, String)>,
    /// It needs a guess.
    pub doubtful: bool,
    /// Functions that take part: those whose coroutine, task or frame the evidence would name.
    pub functions: Vec<FunctionRef>,
    /// Names that the evidence would have: classes (`ClientSession`, `asyncpg.Pool`), attributes, fixtures, coroutines.
    pub names: Vec<String>,
    /// Symptoms (ids of the symptom catalogue) that it produces at this place, as far as it is known; empty for the page's.
    pub symptoms: Vec<&'static str>,
    /// As a rule it prints nothing: what is seen of it is that work or an end is missing.
    pub silent: bool,
    /// It bites only where an exception passes by.
    pub unwinding: bool,
    /// What the cause's own `fix` needs.
    pub detail: Option<Arc<dyn Any + Send + Sync>>,
}

impl Spot {
    /// Of an expression.
    pub fn expr(life: &Lifecycle, expr: ExprRef) -> Self {
        Self { file: expr.file, range: life.facts(expr.file).expr(expr.id).range }
    }

    /// Of a statement.
    pub fn stmt(life: &Lifecycle, stmt: StmtRef) -> Self {
        Self { file: stmt.file, range: life.facts(stmt.file).stmt(stmt.id).range }
    }

    /// Of a function's name.
    pub fn function(life: &Lifecycle, function: FunctionRef) -> Self {
        Self { file: function.file, range: life.facts(function.file).function(function.id).name_range }
    }

    /// Of a class's first line.
    pub fn class(life: &Lifecycle, class: ClassRef) -> Self {
        let facts = life.facts(class.file);
        let range = facts.class(class.id).range;
        Self { file: class.file, range: TextRange::at(range.start(), range.len().min(6.into())) }
    }

    /// Path, line and column.
    pub fn location(&self, life: &Lifecycle) -> Location {
        let facts = life.facts(self.file);
        let (line, column) = facts.lines.position(life.text(self.file), self.range.start());
        Location { path: facts.path.clone(), line, column }
    }
}

impl Found {
    /// A finding with nothing but its place and words; the other fields are set by hand.
    pub fn new(cause: &'static str, spot: Spot, message: impl Into<String>) -> Self {
        Self {
            cause,
            spot,
            message: message.into(),
            applicability: Applicability::Unsafe,
            related: Vec::new(),
            doubtful: false,
            functions: Vec::new(),
            names: Vec::new(),
            symptoms: Vec::new(),
            silent: false,
            unwinding: false,
            detail: None,
        }
    }

    fn order(&self) -> (FileId, u32, u32, &'static str) {
        (self.spot.file, self.spot.range.start().to_u32(), self.spot.range.end().to_u32(), self.cause)
    }

    /// The detail that the cause put in.
    pub fn detail<T: 'static>(&self) -> Option<&T> {
        self.detail.as_deref().and_then(|detail| detail.downcast_ref())
    }

    /// As what leaves the step.
    pub fn finding(&self, life: &Lifecycle) -> Finding {
        let facts = life.facts(self.spot.file);
        let text = life.text(self.spot.file);
        let (line, column) = facts.lines.position(text, self.spot.range.start());
        let (end_line, end_column) = facts.lines.position(text, self.spot.range.end());
        Finding {
            cause: self.cause.to_owned(),
            path: facts.path.clone(),
            line,
            column,
            end_line,
            end_column,
            message: self.message.clone(),
            applicability: self.applicability,
            related: self
                .related
                .iter()
                .map(|(spot, message)| {
                    let Location { path, line, column } = spot.location(life);
                    Related { path, line, column, message: message.clone() }
                })
                .collect(),
            doubtful: self.doubtful,
        }
    }
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found")
            .field("cause", &self.cause)
            .field("spot", &self.spot)
            .field("message", &self.message)
            .field("applicability", &self.applicability)
            .field("doubtful", &self.doubtful)
            .finish_non_exhaustive()
    }
}

/// What detection reports.
#[derive(Debug, Default)]
pub struct Report {
    found: Vec<Found>,
}

impl Report {
    /// Adds a finding; one at the same place of the same cause is not added twice.
    pub fn add(&mut self, found: Found) {
        let known = self.found.iter().any(|other| other.cause == found.cause && other.spot == found.spot);
        if !known {
            self.found.push(found);
        }
    }

    /// All findings, by file and place.
    pub fn into_found(mut self) -> Vec<Found> {
        self.found.sort_by(|left, right| left.order().cmp(&right.order()));
        self.found
    }
}
