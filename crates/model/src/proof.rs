//! How far a mend is shown to be right, and by what.

use serde::{Deserialize, Serialize};

use crate::Frame;

/// What was run before and after a patch, and what that shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The sum of it.
    pub level: ProofLevel,
    /// Why it is this level and no other, in words, the most important first.
    pub reasons: Vec<String>,
    /// What the patch broke, lost or left as it was. A patch with any of these is not applied.
    pub failures: Vec<String>,
    /// How the error was made to happen on the tree as it was; `None` where it could not be.
    pub reproduction: Option<Reproduction>,
    /// Every run, in the order they were started.
    pub runs: Vec<ProofRun>,
    /// The project's own tests, before and after.
    pub suite: Option<SuiteChange>,
    /// What the program printed and answered, before and after.
    pub output: Option<OutputChange>,
    /// The test that was written for it.
    pub regression_test: Option<RegressionTest>,
    /// What it ran with.
    pub environment: ProofEnvironment,
    /// Where it ran.
    pub place: ProofPlace,
    /// Services of this machine that the runs could reach, as `HOST:PORT`.
    pub services: Vec<String>,
    /// The command that repeats it.
    pub repeat: Option<String>,
}

/// What a proof amounts to, from least to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofLevel {
    /// Nothing was run, or what was run speaks against the patch.
    #[default]
    Unproved,
    /// Nothing was lost as far as could be seen; the error was not seen to go, or there was nothing to compare.
    Checked,
    /// The error was seen before and is gone after, and nothing was lost.
    Proved,
}

/// How the error was made to happen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reproduction {
    /// Which way led to it.
    pub way: Way,
    /// The command, as a shell would read it.
    pub command: String,
    /// What was seen, a line each: the message and where it was raised or made.
    pub seen: Vec<String>,
    /// Where Python says that the object or task was created, outermost frame first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub created: Vec<Frame>,
}

/// The ways to make an error happen, in the order they are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The command that the user gave.
    #[default]
    Given,
    /// The command of `[tool.loopmend] run`.
    Configured,
    /// The test that the log names.
    Test,
    /// The project's whole suite.
    Suite,
    /// The application is started by its server, asked once and stopped.
    App,
    /// A program that serves until it is stopped gets SIGTERM.
    Worker,
    /// A synchronous function that runs a loop is called twice.
    Bridge,
    /// A script or module of the project.
    Script,
}

/// One run of the user's code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofRun {
    /// What it is for.
    pub way: Way,
    /// Which tree it ran on.
    pub tree: TreeSide,
    /// Whether development mode, asyncio's debug mode and `tracemalloc` were on.
    pub watched: bool,
    /// The command, as a shell would read it.
    pub command: String,
    /// Variables set for it beyond the bare environment.
    pub env: Vec<(String, String)>,
    /// How it ended, in words: `exit status 1`, `signal 15`, `no end within 60 s`.
    pub exit: String,
    /// How long it took.
    pub milliseconds: u64,
    /// Symptoms recognised in what it printed and did.
    pub symptoms: Vec<String>,
    /// The relevant part of what it printed.
    pub output: String,
}

/// A tree without the patch, or with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TreeSide {
    /// Without it.
    #[default]
    Before,
    /// With it.
    After,
}

/// The suite before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteChange {
    /// The command, as a shell would read it.
    pub command: String,
    /// How many tests were collected before.
    pub collected: usize,
    /// How many of them passed before.
    pub passed_before: usize,
    /// How many of them pass after.
    pub passed_after: usize,
    /// Tests that failed before and pass after.
    pub mended: Vec<String>,
    /// Tests that fail, are skipped, deselected or missing after and were not before.
    pub lost: Vec<String>,
    /// Tests that come out one way and another on the same tree: they speak for nothing.
    pub unsteady: Vec<String>,
}

/// Standard output and served responses before and after, less the symptom's lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputChange {
    /// How many lines and responses were compared.
    pub compared: usize,
    /// What was there before and is not after.
    pub lost: Vec<String>,
    /// What is there after in the place of what the trouble had left undone: `audit entries: 0 of 5` and `5 of 5`.
    pub instead: Vec<(String, String)>,
    /// What is there after only.
    pub gained: Vec<String>,
    /// Ends of the run, before and after.
    pub exit: (String, String),
}

/// A test written for the error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegressionTest {
    /// Path in the project.
    pub path: String,
    /// The test's name, as its runner calls it.
    pub name: String,
    /// Its text, or that of the file that it was added to.
    pub text: String,
    /// How it was seen to fail before.
    pub failed_before: String,
}

/// What the runs had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofEnvironment {
    /// Version of Python.
    pub python: String,
    /// Where the environment is from, in words.
    pub source: String,
    /// Installed distributions with their versions, by name.
    pub packages: Vec<(String, String)>,
}

/// Where the runs were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofPlace {
    /// Whether they were shut off from the machine.
    pub sandboxed: bool,
    /// What it was, in words.
    pub description: String,
}

impl Proof {
    /// Whether the patch is fit to be applied.
    pub fn holds(&self) -> bool {
        self.failures.is_empty()
    }
}

impl ProofLevel {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unproved => "unproved",
            Self::Checked => "checked",
            Self::Proved => "proved",
        }
    }
}

impl Way {
    /// What is done, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Given => "the given command",
            Self::Configured => "the configured command",
            Self::Test => "the test named in the log",
            Self::Suite => "the suite",
            Self::App => "the application, started and stopped",
            Self::Worker => "the program, stopped by SIGTERM",
            Self::Bridge => "the synchronous function, called twice",
            Self::Script => "the program",
        }
    }
}
