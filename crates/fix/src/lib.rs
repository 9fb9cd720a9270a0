//! Step 3 of 5: from causes' mends to one patch. Text in, text out.
//!
//! Mends are made one after another, each on the tree as the ones before it left it, so that they compose; what does not
//! compose is left and said. A mend is taken only if the whole life of the loop, computed again on the changed text, is what
//! it was but for the defect: see [`accept`]. Start with [`mend`].

mod accept;
mod awaited;
mod builtin;
mod effects;
mod findings;
mod mend;
mod names;
mod order;
#[cfg(test)]
mod tests;

pub use accept::{Rejected, accept};
pub use mend::{Left, Mended, Wanted, detect, mend, offered};
