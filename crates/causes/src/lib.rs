//! The shelf: one folder a cause, with detection, explanation, fix and cases.
//!
//! A [`Cause`] is a question to the life of the loop ([`loopmend_python::lifecycle::Lifecycle`]). It never does I/O and never
//! looks at a log: joining findings with evidence is `diagnose`'s work, making one patch of mends is `fix`'s. To add a
//! cause, add a folder and one line in [`shelf`].

mod anyio_asyncio_mix;
mod asyncgen_not_closed;
mod background;
mod cancel_without_await;
mod carried;
mod cause;
mod close_not_awaited;
mod close_with_pending_tasks;
mod closed_too_late;
mod created_outside_loop;
mod cross_loop_object;
mod default_loop_scope_unset;
mod dropped_task;
mod event_loop_fixture_override;
mod fixture_loop_scope;
mod found;
mod get_event_loop;
mod library_version;
#[allow(dead_code, unused_imports, reason = "the causes about start-up and shutdown come one by one")]
mod lifespan;
mod lifespan_and_on_event;
mod loop_reuse_after_close;
mod loop_stopped;
mod manual_loop_in_tests;
mod mend;
mod mixed_run_styles;
mod nested_run;
mod never_awaited;
mod no_loop_in_thread;
mod no_signal_handling;
mod on_event_deprecated;
mod one_run;
mod other;
mod own_loop;
mod page;
mod partial_startup_leak;
mod place;
mod resource_never_closed;
mod second_run;
mod shelf;
mod shutdown_uninitialised;
mod startup;
mod startup_error_unhandled;
mod strict_mode_fixture;
mod suite;
mod task_not_cancelled_at_shutdown;
mod testclient_loop_mix;
mod thread;
mod unretrieved_exception;
mod windows_proactor;

pub use cause::Cause;
pub use found::{Found, Report, Spot};
pub use library_version::raised;
pub use mend::{Declared, Declined, Mend};
pub use other::{Handler, handler_that_prints};
pub use page::Page;
pub use place::{Match, is_library, is_windows, locate};
pub use shelf::{cause, prepare, shelf};
