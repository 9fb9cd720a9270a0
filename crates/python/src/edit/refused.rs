//! Why an edit was not made.

/// The reason why a primitive gives no edits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No node of the wanted kind is at the range.
    #[error("there is no {0} at this place")]
    Missing(&'static str),
    /// Statements joined by `;` on one line would have to be taken apart.
    #[error("the statement shares its line with others")]
    SharedLine,
    /// The statements are not neighbours in one block.
    #[error("the statements are not a run in one block")]
    NotOneBlock,
    /// The statement has clauses (`else`, `except`, …) that would be lost.
    #[error("the statement has clauses that would be lost")]
    OtherClauses,
    /// A name or argument is there already, with another meaning.
    #[error("`{0}` is there already")]
    Exists(String),
    /// The name can't be changed without reaching outside the function.
    #[error("`{0}` is not a local name that can be renamed")]
    NotLocal(String),
    /// The text has a form that the edit does not know.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The text is not TOML, or a key's parent is no table.
    #[error("the TOML can't be edited: {0}")]
    Toml(String),
    /// Two edits in one step want the same bytes.
    #[error(transparent)]
    Overlap(#[from] super::Overlap),
}
