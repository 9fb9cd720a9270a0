//! Objects with a life.

use std::sync::OnceLock;

use loopmend_model::UserResource;
use serde::Deserialize;

/// One constructor and what becomes of its value.
#[derive(Clone, Debug, Deserialize)]
pub struct Resource {
    /// Name on the package index.
    pub library: String,
    /// Qualified path that users write.
    pub constructor: String,
    /// Other paths of the same.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Class of the value.
    pub gives: String,
    /// Index of the value, where a tuple is given.
    #[serde(default)]
    pub gives_item: Option<u32>,
    /// How it is made.
    pub acquire: Acquire,
    /// The method that makes it live.
    #[serde(default)]
    pub start: Option<Close>,
    /// Methods that end it, best first.
    #[serde(default)]
    pub close: Vec<Close>,
    /// What may or must follow, or ends it too.
    #[serde(default)]
    pub close_also: Vec<Close>,
    /// Whether it is a context manager.
    pub context_manager: ContextManager,
    /// When it ties itself to a loop.
    pub binds: Binds,
    /// What happens in a second run: `works`, `fails: …`, `hangs`, `silent: …`, `unknown`.
    pub reuse_in_second_run: String,
    /// Used after its close it opens again, on the loop that runs then.
    #[serde(default)]
    pub reopens: bool,
    /// What is printed when it is never closed; `nothing`.
    pub unclosed_says: String,
    /// It raises or warns when made without a running loop.
    #[serde(default)]
    pub needs_running_loop_at_construction: bool,
    /// What it closes, or does not close, of what it is given.
    #[serde(default)]
    pub owns: Option<String>,
    /// A remark.
    #[serde(default)]
    pub note: Option<String>,
}

/// A method that starts or ends an object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Close {
    /// Its name.
    pub method: String,
    /// It must be awaited.
    pub awaited: bool,
    /// Its arguments, as written in a call.
    #[serde(default)]
    pub args: Option<String>,
    /// Version that has it.
    #[serde(default)]
    pub since: Option<String>,
}

/// How an object is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acquire {
    /// By a call.
    Call,
    /// By awaiting a call.
    Await,
    /// Only by `async with`.
    AsyncWith,
    /// By a call, or `async with`.
    CallOrAsyncWith,
    /// By awaiting a call, or `async with`.
    AwaitOrAsyncWith,
    /// By a call; alive after its start method.
    StartMethod,
}

/// Whether an object is a context manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextManager {
    /// `async with`.
    Async,
    /// `with`.
    Sync,
    /// Neither.
    None,
}

/// When an object ties itself to a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binds {
    /// When it is made.
    Construction,
    /// When it is first used.
    FirstUse,
    /// Never.
    Never,
}

impl Resource {
    /// Whether using it under a second loop goes wrong.
    pub fn breaks_in_second_run(&self) -> bool {
        self.reuse_in_second_run.starts_with("fails")
            || self.reuse_in_second_run == "hangs"
            || self.reuse_in_second_run.starts_with("silent")
    }

    /// Whether leaving it open matters: it has a way to be closed.
    pub fn must_close(&self) -> bool {
        !self.close.is_empty()
    }

    /// Whether this method ends it.
    pub fn ended_by(&self, method: &str) -> Option<&Close> {
        self.close.iter().chain(&self.close_also).find(|close| close.method == method)
    }

    pub(super) fn from_user(own: &UserResource) -> Self {
        let context_manager = match own.context_manager.as_str() {
            "async" => ContextManager::Async,
            "sync" => ContextManager::Sync,
            _ => ContextManager::None,
        };
        Self {
            library: own.constructor.split('.').next().unwrap_or_default().to_owned(),
            constructor: own.constructor.clone(),
            aliases: Vec::new(),
            gives: own.constructor.clone(),
            gives_item: None,
            acquire: match (own.acquire_awaited, context_manager) {
                (true, ContextManager::None | ContextManager::Sync) => Acquire::Await,
                (true, ContextManager::Async) => Acquire::AwaitOrAsyncWith,
                (false, ContextManager::Async) => Acquire::CallOrAsyncWith,
                (false, _) => Acquire::Call,
            },
            start: None,
            close: own
                .close
                .iter()
                .map(|method| Close {
                    method: method.clone(),
                    awaited: own.close_awaited,
                    args: None,
                    since: None,
                })
                .collect(),
            close_also: Vec::new(),
            context_manager,
            binds: if own.binds { Binds::FirstUse } else { Binds::Never },
            reuse_in_second_run: if own.binds { "fails: (declared in configuration)" } else { "works" }
                .to_owned(),
            reopens: false,
            unclosed_says: "nothing".to_owned(),
            needs_running_loop_at_construction: false,
            owns: None,
            note: None,
        }
    }
}

#[derive(Deserialize)]
struct File {
    resource: Vec<Resource>,
}

pub(super) fn builtin() -> &'static [Resource] {
    static RESOURCES: OnceLock<Vec<Resource>> = OnceLock::new();
    RESOURCES.get_or_init(|| {
        toml::from_str::<File>(include_str!("../../data/resources.toml"))
            .expect("the built-in catalogue parses")
            .resource
    })
}
