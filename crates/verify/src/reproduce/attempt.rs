//! One way to make an error happen.

use loopmend_model::Way;

/// A command and what is said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Which way it is.
    pub way: Way,
    /// Program and arguments; `python` is the environment's.
    pub argv: Vec<String>,
    /// Variables that belong to the command.
    pub env: Vec<(String, String)>,
    /// The command as it is shown.
    pub command: String,
    /// A file of our own that it runs: its name stands for its path in `argv`.
    pub harness: Option<&'static str>,
    /// A step that is made to fail, since the log says that it had failed.
    pub failing: Option<String>,
}

impl Attempt {
    /// A command without anything else.
    pub fn new(way: Way, argv: Vec<String>) -> Self {
        let command = shlex::try_join(argv.iter().map(String::as_str)).unwrap_or_else(|_| argv.join(" "));
        Self { way, argv, command, ..Self::default() }
    }

    /// One of our own files with these arguments.
    pub fn harness(way: Way, file: &'static str, arguments: Vec<String>) -> Self {
        let mut argv = vec!["python".to_owned(), file.to_owned()];
        argv.extend(arguments);
        Self { harness: Some(file), ..Self::new(way, argv) }
    }

    /// Whether what it runs is a suite of tests.
    pub fn is_suite(&self) -> bool {
        matches!(self.way, Way::Suite | Way::Test)
    }
}
