//! Step 1 of 5: what Python printed becomes [`Incident`]s.
//!
//! The text may be a pasted traceback, a gigabyte of container logs, a pytest report or JSON lines. Reading is a state
//! machine over lines: linear in time, bounded in memory, total on any bytes. It never does I/O of its own, reads no
//! clock, and knows nothing of the user's source.
//!
//! Start with [`recorder`]: it finds the lines that matter, takes their prefixes off and hands them to the reader of
//! their form (`block` for what Python itself prints, `pytest`, `rich`, `ipython`, `json`). `symptom` is the
//! table of messages.

mod ansi;
mod block;
mod encoding;
mod exception;
mod fold;
mod frame;
mod ipython;
mod json;
mod opening;
mod prefix;
mod pytest;
mod recorder;
mod repr;
mod rich;
mod stack;
mod stream;
mod symptom;
mod trigger;
mod warning;

pub use encoding::text;
pub use fold::LeftOut;
pub use loopmend_model::Incident;
pub use recorder::{Capture, DOCUMENT, Recorder, capture, capture_reader, is_document};
pub use symptom::{Symptom, recognise, symptom, symptoms};
