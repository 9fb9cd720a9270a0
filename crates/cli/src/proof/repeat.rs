//! The command line that repeats a proof.

use std::path::Path;

use super::ProofOptions;
use crate::environment;

/// The defaults of `--runs` and `--limit`, which need not be said.
pub const RUNS: u8 = 3;
pub const LIMIT: u32 = 120;

impl ProofOptions {
    /// The command line that repeats the proof in the same folder, as a shell reads it; `None` where the log came through a
    /// pipe and no bundle keeps it. `command` is what is said before the options where there is no bundle.
    pub fn repeat(&self, command: &[&str], path: Option<&Path>, log: Option<&str>) -> Option<String> {
        self.said(command, path, log, environment::activated().as_deref())
    }

    fn said(
        &self,
        command: &[&str],
        path: Option<&Path>,
        log: Option<&str>,
        activated: Option<&Path>,
    ) -> Option<String> {
        let mut words: Vec<String> = vec!["loopmend".to_owned()];
        let mut say = |more: &[&str]| words.extend(more.iter().map(|word| (*word).to_owned()));
        match &self.bundle {
            Some(_) => say(&["verify"]),
            None => say(command),
        }
        if let Some(path) = path {
            say(&[path.to_str()?]);
        }
        match (&self.bundle, log) {
            // It has the log and the number of runs.
            (Some(folder), _) => say(&["--bundle", folder.to_str()?]),
            (None, Some("-")) => return None,
            (None, Some(log)) => say(&["--log", log]),
            (None, None) => {}
        }
        if let Some(run) = &self.run {
            say(&["--run", run]);
        }
        if self.bundle.is_none() && self.runs != RUNS {
            say(&["--runs", &self.runs.to_string()]);
        }
        if self.limit != LIMIT {
            say(&["--limit", &self.limit.to_string()]);
        }
        for service in &self.service {
            say(&["--service", service]);
        }
        if let Some(python) = self.python.as_deref().or(activated) {
            say(&["--python", python.to_str()?]);
        }
        for (given, name) in [(self.no_test, "--no-test"), (self.no_sandbox, "--no-sandbox")] {
            if given {
                say(&[name]);
            }
        }
        shlex::try_join(words.iter().map(String::as_str)).ok()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        proof: ProofOptions,
    }

    fn options(line: &str) -> ProofOptions {
        Line::parse_from(shlex::split(&format!("x {line}")).unwrap()).proof
    }

    #[test]
    fn what_was_given_is_said_again_and_what_is_usual_is_not() {
        let given = options(
            "--run 'MODE=1 python a.py' --runs 5 --limit 9 --service 127.0.0.1:6379 --no-test --no-sandbox",
        );
        assert_eq!(
            given
                .said(
                    &["fix", "--verify"],
                    Some(Path::new("my shop")),
                    Some("error.log"),
                    Some(Path::new("/v"))
                )
                .unwrap(),
            "loopmend fix --verify 'my shop' --log error.log --run 'MODE=1 python a.py' --runs 5 --limit 9 \
             --service 127.0.0.1:6379 --python /v --no-test --no-sandbox"
        );
        let plain = options("");
        assert_eq!(plain.said(&["verify"], None, None, None).unwrap(), "loopmend verify");
        assert_eq!(plain.said(&["verify"], None, Some("-"), None), None);
    }

    #[test]
    fn a_bundle_is_repeated_by_itself() {
        let kept = options("--runs 5 --bundle proof --python p");
        assert_eq!(
            kept.said(&["fix", "--verify"], None, Some("-"), Some(Path::new("/v"))).unwrap(),
            "loopmend verify --bundle proof --python p"
        );
    }
}
