//! What commands that prove a mend share: how it is asked for, where it runs, how it is told.

mod repeat;
mod report;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Args;
use loopmend_model::{Diagnosis, Patch, Proof, ProofEnvironment, Tree};
use loopmend_pipeline::{FixOptions, Proved, Told};
use loopmend_verify::{
    Bundle, Environment, Maker, Place, ProveOptions, Sandbox, Service, ServiceError, Unconfined, VerifyError,
    needs, reproduce,
};

use crate::diff;
use crate::environment;
use crate::failure::Failure;
use crate::talk::Talk;
use crate::tree::Opened;

pub use report::{concise, full};

/// How a mend is proved.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Proof")]
pub struct ProofOptions {
    /// The command that shows the error, as a shell reads it; variables may stand before it.
    #[arg(long, value_name = "COMMAND")]
    run: Option<String>,
    /// In how many runs the error must be gone.
    #[arg(long, value_name = "N", default_value_t = repeat::RUNS, value_parser = clap::value_parser!(u8).range(1..=50))]
    runs: u8,
    /// How long one run may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = repeat::LIMIT, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    limit: u32,
    /// A service of this machine that the runs may reach; those that the source names on loopback may be reached too.
    #[arg(long, value_name = "HOST:PORT")]
    service: Vec<String>,
    /// The Python to run with, or its environment's folder [default: the active environment, else one in the project].
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Write no regression test.
    #[arg(long)]
    no_test: bool,
    /// Run without a sandbox: with your rights, your files and your network.
    #[arg(long)]
    no_sandbox: bool,
    /// Write a folder with the patch, every command and output, and one JSON file, by which it can be repeated.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
}

impl ProofOptions {
    /// With nothing but an environment; in the sandbox where there is one.
    pub fn plain(environment: &Path) -> Self {
        Self {
            run: None,
            runs: repeat::RUNS,
            limit: repeat::LIMIT,
            service: Vec::new(),
            python: Some(environment.to_path_buf()),
            no_test: false,
            no_sandbox: Sandbox::new().is_err(),
            bundle: None,
        }
    }

    /// The first option that only a proof understands and that was given.
    pub fn given(&self) -> Option<&'static str> {
        [
            (self.run.is_some(), "--run"),
            (!self.service.is_empty(), "--service"),
            (self.python.is_some(), "--python"),
            (self.no_test, "--no-test"),
            (self.no_sandbox, "--no-sandbox"),
            (self.bundle.is_some(), "--bundle"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }

    /// Mends a project and proves the mend.
    pub fn prove(
        &self,
        opened: &Opened,
        told: Option<Told<'_>>,
        fixing: FixOptions,
        talk: Talk,
    ) -> anyhow::Result<Proved> {
        let mut environment = None;
        let ground = || -> anyhow::Result<_> {
            let ground = self.ground(&opened.root, &opened.tree, talk)?;
            let options = self.options(&*ground.place);
            environment = Some(ground.environment);
            Ok((ground.place, options))
        };
        let proved = loopmend_pipeline::prove(&opened.root, &opened.tree, told, fixing, ground);
        let proved = proved.map_err(|error| match error.downcast::<VerifyError>() {
            Ok(error) => Failure::new(format!("failed to {error}")).into(),
            Err(other) => other,
        })?;
        let environment = environment.unwrap_or_default();
        Ok(Proved { proof: proved.proof.map(|proof| Proof { environment, ..proof }), ..proved })
    }

    /// Where the runs are, and with what.
    pub fn ground(&self, root: &Path, tree: &Tree, talk: Talk) -> anyhow::Result<Ground> {
        let services = self.services(tree)?;
        let mut sandbox = if self.no_sandbox {
            None
        } else {
            let sandbox = Sandbox::new().map_err(|error| {
                Failure::new(format!("failed to {error}"))
                    .hint(format!("{}, or go on without one: --no-sandbox", error.hint()))
            })?;
            Some(sandbox)
        };
        let activated = environment::activated();
        let own = loopmend_verify::own(root, self.python.as_deref(), activated.as_deref())
            .map_err(|error| Failure::new(format!("failed to {error}")))?;
        let used = match own {
            Some(used) => used,
            None => {
                let say = |line: &str| talk.say(format_args!("{line}"));
                Maker::new(sandbox.clone(), &say)
                    .and_then(|maker| maker.make(root))
                    .map_err(|error| Failure::new(format!("failed to {error}")).maybe_hint(error.hint()))?
            }
        };
        let used = completed(used, sandbox.as_ref(), tree, talk);
        let (major, minor, micro) = used.version;
        let environment = ProofEnvironment {
            python: format!("{major}.{minor}.{micro}"),
            source: used.origin.clone(),
            packages: used.distributions().into_iter().collect(),
        };
        let place: Box<dyn Place> = match &mut sandbox {
            Some(sandbox) => {
                sandbox.environment = Some(used);
                sandbox.services = services;
                Box::new(sandbox.clone())
            }
            None => Box::new(Unconfined { environment: Some(used), ..Unconfined::default() }),
        };
        Ok(Ground { place, environment })
    }

    /// What is asked for.
    pub fn options(&self, place: &dyn Place) -> ProveOptions {
        let setting = place.describe();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        ProveOptions {
            command: self.run.clone(),
            runs: usize::from(self.runs),
            time: Duration::from_secs(u64::from(self.limit)),
            regression_test: !self.no_test,
            parallel: cores > 1 && setting.confined_by.is_some() && setting.services.is_empty(),
        }
    }

    /// Where a bundle is asked for.
    pub fn bundle(&self) -> Option<&Path> {
        self.bundle.as_deref()
    }

    /// Writes the bundle.
    pub fn keep(
        &self,
        folder: &Path,
        root: &Path,
        diagnoses: &[Diagnosis],
        log: &str,
        patch: &Patch,
        proof: &Proof,
    ) -> anyhow::Result<()> {
        let bundle = Bundle {
            loopmend: env!("CARGO_PKG_VERSION").to_owned(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            commit: loopmend_project::commit(root),
            diagnoses: diagnoses.to_vec(),
            log: log.to_owned(),
            command: self.run.clone(),
            runs: usize::from(self.runs),
            patch: Some(patch.clone()),
            proof: proof.clone(),
            ..Bundle::default()
        };
        bundle
            .write(folder, &diff::of(patch).text)
            .map_err(|error| Failure::new(format!("failed to {error}")).into())
    }

    /// The same options with what a bundle was made with.
    pub fn like(&self, bundle: &Bundle) -> Self {
        Self {
            run: self.run.clone().or_else(|| bundle.command.clone()),
            runs: u8::try_from(bundle.runs).unwrap_or(self.runs),
            ..self.clone()
        }
    }

    /// The services that the runs may reach, sorted.
    fn services(&self, tree: &Tree) -> Result<Vec<Service>, Failure> {
        let named = reproduce::services(tree, &reproduce::variables(self.run.as_deref()));
        let mut services = Vec::new();
        for text in self.service.iter().chain(&tree.settings.services).chain(&named) {
            let service: Service = text.parse().map_err(|error: ServiceError| {
                Failure::new(format!("failed to {error}")).hint("for example --service 127.0.0.1:5432")
            })?;
            services.push(service);
        }
        services.sort();
        services.dedup();
        Ok(services)
    }
}

/// Where runs are, and what they have.
pub struct Ground {
    /// The place.
    pub place: Box<dyn Place>,
    /// The Python and its packages.
    pub environment: ProofEnvironment,
}

/// The environment with what the suite and the harnesses need besides; as it is where that is not to be had.
fn completed(used: Environment, sandbox: Option<&Sandbox>, tree: &Tree, talk: Talk) -> Environment {
    let needed = needs(tree, &used);
    let say = |line: &str| talk.say(format_args!("{line}"));
    let layered = Maker::new(sandbox.cloned(), &say).and_then(|maker| maker.with(&used, &needed));
    layered.unwrap_or_else(|error| {
        talk.warn(&format!("going on without what the suite or a harness may need: {error}"));
        used
    })
}
