//! How an object is ended: by which methods, and whether `with` does it.

use loopmend_model::Version;
use loopmend_python::catalogue::{Acquire, Close, ContextManager, Resource};
use loopmend_python::facts::Name;
use loopmend_python::lifecycle::{ClassRef, Lifecycle};

/// What ends an object.
#[derive(Clone, Debug)]
pub(super) struct Closer {
    /// Last name of the object's class.
    pub(super) class: String,
    /// The class in full, where a library has it.
    pub(super) path: String,
    /// The class of the tree, where it is one.
    pub(super) owner: Option<ClassRef>,
    /// Methods that end it, dotted where they belong to a part of it (`session.close`).
    pub(super) ends: Vec<String>,
    /// What to call, in order.
    pub(super) steps: Vec<Step>,
    /// `async with` or `with` ends it.
    pub(super) with: With,
    /// Its index, where the constructor gives a tuple.
    pub(super) item: Option<u32>,
    /// Methods of the tree's class without which it opens nothing; empty where making it does.
    pub(super) opened_by: Vec<Name>,
}

/// One call that ends an object.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The method.
    pub(super) method: String,
    /// Its arguments as source.
    pub(super) arguments: String,
    /// It must be awaited.
    pub(super) awaited: bool,
}

/// Whether an object is a context manager that ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum With {
    /// It is none.
    No,
    /// `with x`.
    Sync,
    /// `async with x`; where the constructor is awaited, the `await` stays.
    Async,
    /// `async with` of the constructor's call itself, without `await`.
    AsyncCall,
}

/// Methods that bring an object to life, which its `async with` may do too.
const STARTS: [&str; 8] =
    ["start", "connect", "open", "setup", "initialize", "login", "__aenter__", "start_polling"];

impl Closer {
    /// For what a constructor of the catalogue makes.
    pub(super) fn of_resource(life: &Lifecycle, resource: &Resource) -> Self {
        let known = life.settings().version(&resource.library);
        let usable = |close: &&Close| match (&close.since, known) {
            (Some(since), Some(version)) => {
                Version::parse(since).is_none_or(|since| version.at_least(&since.release))
            }
            _ => true,
        };
        let mut steps = Vec::new();
        if let Some(close) = resource.close.iter().find(usable).or(resource.close.first()) {
            steps.push(Step::of(close));
            // A plain close only begins it; what waits for its end follows.
            if !close.awaited
                && let Some(wait) =
                    resource.close_also.iter().find(|also| also.awaited && also.method == "wait_closed")
            {
                steps.push(Step::of(wait));
            }
        }
        let with = match (resource.context_manager, resource.acquire) {
            (ContextManager::None, _) => With::No,
            (ContextManager::Sync, _) => With::Sync,
            (ContextManager::Async, Acquire::AwaitOrAsyncWith) => With::AsyncCall,
            (ContextManager::Async, _) => With::Async,
        };
        let mut ends: Vec<String> = resource
            .close
            .iter()
            .chain(&resource.close_also)
            .map(|close| close.method.clone())
            .filter(|method| method != "wait_closed" || resource.close.is_empty())
            .collect();
        // Serving for ever closes the server when it is cancelled.
        if resource.gives.ends_with(".Server") {
            ends.push("serve_forever".to_owned());
        }
        if is_child(resource) {
            ends.push("communicate".to_owned());
        }
        Self {
            class: resource.gives.rsplit('.').next().unwrap_or(&resource.gives).to_owned(),
            path: resource.gives.clone(),
            owner: None,
            ends,
            steps,
            with,
            item: resource.gives_item,
            opened_by: Vec::new(),
        }
    }

    /// Whether calling this method ends it.
    pub(super) fn ended_by(&self, method: &str) -> bool {
        self.ends.iter().any(|end| end == method)
    }

    /// Whether this attribute has a method that ends it: `session` of `bot.session.close()`.
    pub(super) fn part(&self, attribute: &str, method: &str) -> bool {
        self.ends.iter().any(|end| end.split_once('.') == Some((attribute, method)))
    }

    /// Whether a method's name says that it brings the object to life.
    pub(super) fn starts(method: &str) -> bool {
        STARTS.contains(&method)
    }

    /// The statements that end the object `name`.
    pub(super) fn statements(&self, name: &str) -> String {
        self.steps.iter().map(|step| step.statement(name)).collect::<Vec<_>>().join("\n")
    }

    /// Whether ending it needs `await`.
    pub(super) fn awaits(&self) -> bool {
        self.steps.iter().any(|step| step.awaited)
    }

    /// Last names of the calls that end it.
    pub(super) fn calls(&self) -> Vec<String> {
        self.steps
            .iter()
            .map(|step| step.method.rsplit('.').next().unwrap_or(&step.method).to_owned())
            .collect()
    }
}

impl Step {
    fn of(close: &Close) -> Self {
        Self {
            method: close.method.clone(),
            arguments: close.args.clone().unwrap_or_default(),
            awaited: close.awaited,
        }
    }

    fn statement(&self, name: &str) -> String {
        let awaiting = if self.awaited { "await " } else { "" };
        format!("{awaiting}{name}.{}({})", self.method, self.arguments)
    }
}

/// Whether a resource is a child process, which ends by itself and has to be waited for.
pub(super) fn is_child(resource: &Resource) -> bool {
    resource.close.first().is_some_and(|close| close.method == "wait")
}
