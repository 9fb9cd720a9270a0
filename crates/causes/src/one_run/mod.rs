//! Several runs of one function made one: the statements between the first and the last of them go into a coroutine,
//! each run becomes an `await` there, and one `asyncio.run` stands in their place.
//!
//! Order and output stay. What is named around the statements comes in as parameters, what is needed after them is
//! returned; a close at their end moves into a `finally`. Where control leaves the statements in other ways than by
//! their end, nothing is done.

mod awaited;
mod handles;
mod hoist;
mod region;
mod shift;
mod variables;
mod write;

use awaited::awaited;
pub use awaited::{options, text as awaited_text};
pub use hoist::Hoist;
pub use region::Region;
pub use write::{Endings, merge};
