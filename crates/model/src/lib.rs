//! The nouns that pass between the steps: [`Incident`], [`Finding`], [`Diagnosis`], [`Patch`], [`Proof`], and
//! the [`Tree`] of text that the pure steps work on.
//!
//! Plain data: nothing here reads a file, a clock or the environment. Start with [`incident`] (what
//! happened) and [`tree`] (what the source is).

pub mod diagnosis;
pub mod finding;
pub mod incident;
pub mod patch;
pub mod proof;
pub mod settings;
pub mod tree;

pub use diagnosis::{Candidate, Diagnosis, Location, Refusal, RefusalCode};
pub use finding::{Applicability, Finding, Related};
pub use incident::{Channel, Frame, Incident, Link, Raised, Subject, SubjectKind};
pub use patch::{FileChange, Patch};
pub use proof::{
    OutputChange, Proof, ProofEnvironment, ProofLevel, ProofPlace, ProofRun, RegressionTest, Reproduction,
    SuiteChange, TreeSide, Way,
};
pub use settings::{PytestSettings, PythonRange, Settings, UserResource, Version, VersionSource};
pub use tree::{ConfigFile, Note, SourceFile, Tree};
