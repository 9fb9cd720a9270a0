//! The list of causes.

use loopmend_python::lifecycle::Lifecycle;

use crate::Cause;

/// All causes, in the order of the shelf.
#[rustfmt::skip] // one a line, so that branches merge
pub fn shelf() -> &'static [&'static dyn Cause] {
    &[
        &crate::anyio_asyncio_mix::AnyioAsyncioMix,
        &crate::asyncgen_not_closed::AsyncgenNotClosed,
        &crate::cancel_without_await::CancelWithoutAwait,
        &crate::close_not_awaited::CloseNotAwaited,
        &crate::close_with_pending_tasks::CloseWithPendingTasks,
        &crate::closed_too_late::ClosedTooLate,
        &crate::created_outside_loop::CreatedOutsideLoop,
        &crate::cross_loop_object::CrossLoopObject,
        &crate::default_loop_scope_unset::DefaultLoopScopeUnset,
        &crate::dropped_task::DroppedTask,
        &crate::event_loop_fixture_override::EventLoopFixtureOverride,
        &crate::fixture_loop_scope::FixtureLoopScope,
        &crate::get_event_loop::GetEventLoop,
        &crate::library_version::LibraryVersion,
        &crate::lifespan_and_on_event::LifespanAndOnEvent,
        &crate::loop_reuse_after_close::LoopReuseAfterClose,
        &crate::loop_stopped::LoopStopped,
        &crate::manual_loop_in_tests::ManualLoopInTests,
        &crate::mixed_run_styles::MixedRunStyles,
        &crate::nested_run::NestedRun,
        &crate::never_awaited::NeverAwaited,
        &crate::no_loop_in_thread::NoLoopInThread,
        &crate::no_signal_handling::NoSignalHandling,
        &crate::on_event_deprecated::OnEventDeprecated,
        &crate::other::Other,
        &crate::partial_startup_leak::PartialStartupLeak,
        &crate::resource_never_closed::ResourceNeverClosed,
        &crate::second_run::SecondRun,
        &crate::shutdown_uninitialised::ShutdownUninitialised,
        &crate::startup_error_unhandled::StartupErrorUnhandled,
        &crate::strict_mode_fixture::StrictModeFixture,
        &crate::task_not_cancelled_at_shutdown::TaskNotCancelledAtShutdown,
        &crate::testclient_loop_mix::TestclientLoopMix,
        &crate::unretrieved_exception::UnretrievedException,
        &crate::windows_proactor::WindowsProactor,
    ]
}

/// Computes what several causes ask for, by all threads: later the others would make it again or wait for the one that comes
/// first.
pub fn prepare(life: &Lifecycle) {
    life.prepare();
    crate::carried::carried(life);
}

/// The cause of this name.
pub fn cause(slug: &str) -> Option<&'static dyn Cause> {
    shelf().iter().copied().find(|cause| cause.slug() == slug)
}
