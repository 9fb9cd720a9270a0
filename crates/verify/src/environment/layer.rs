//! A second layer over an environment: what a harness or the suite needs and the environment lacks. The first is left as it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::maker::finished;
use super::store::Key;
use super::workbench::Bench;
use super::{Environment, Interpreter, MakeError, Maker, site, uv};

/// Changes where a layer of the same packages would become another.
const EDITION: &str = "1";

impl Maker<'_> {
    /// The environment with these packages besides: itself where it has them, else a layer over it.
    ///
    /// What the environment has keeps its version: only what goes with it is added.
    pub fn with(&self, environment: &Environment, wanted: &[&str]) -> Result<Environment, MakeError> {
        let there = site::distributions(&environment.packages());
        let missing: Vec<&str> = wanted
            .iter()
            .copied()
            .filter(|wanted| !there.contains_key(&site::normalised(site::name_of(wanted))))
            .collect();
        if missing.is_empty() {
            return Ok(environment.clone());
        }
        let mut key = Key::default().add("layer", EDITION.as_bytes());
        key = key.add("python", environment.python.as_os_str().as_encoded_bytes());
        for (name, version) in &there {
            key = key.add(name, version.as_bytes());
        }
        key = key.add("wanted", missing.join("\n").as_bytes());
        let kept = self.store().get(&key.finish(), |folder| {
            (self.say)(&format!("adding {} in a layer over the environment", missing.join(", ")));
            self.add(folder, environment, &there, &missing)
        })?;
        let origin = format!("{}, and over it {}", environment.origin, missing.join(", "));
        let mut layered = finished(kept, &origin, Path::new("/"))?;
        layered.path.extend(environment.path.iter().cloned());
        layered.readable.extend(environment.readable.iter().cloned());
        layered.linked.extend(environment.linked.iter().cloned());
        layered.links.extend(environment.links.iter().cloned());
        layered.links.dedup();
        let own = environment.variables.iter().filter(|(name, _)| name != "VIRTUAL_ENV").cloned();
        layered.variables.extend(own);
        layered.below = environment.packages();
        layered.kept_below = environment.kept.clone();
        Ok(layered)
    }

    fn add(
        &self,
        folder: &Path,
        environment: &Environment,
        there: &BTreeMap<String, String>,
        missing: &[&str],
    ) -> Result<(), MakeError> {
        // The environment's own interpreter would run what is in it; the one below knows as much.
        let base = Environment::of(&Interpreter::probe(&environment.python)?.maker, "installed")?;
        let uv = uv::find_or_install(self, &base)?;
        let empty = tempfile::tempdir()?;
        let bench = Bench::new(self, empty.path(), folder, &base, &uv)?;
        let venv = bench.venv().to_string_lossy().into_owned();
        let python = base.python.to_string_lossy().into_owned();
        bench.uv("making a layer", &["venv", "--no-project", "--python", &python, &venv], false)?;

        let lines = |pins: &mut dyn Iterator<Item = String>| {
            pins.fold(String::new(), |text, line| text + &line + "\n")
        };
        let pins = lines(&mut there.iter().map(|(name, version)| format!("{name}=={version}")));
        let pins = bench.lend("there.txt", pins.as_bytes())?;
        let list = bench.lend("wanted.in", lines(&mut missing.iter().map(ToString::to_string)).as_bytes())?;
        let (pins, list) = (pins.to_string_lossy(), list.to_string_lossy());
        let step = "choosing what goes with the environment";
        let mut words =
            vec!["pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"];
        words.extend(["--python", &python, &list]);
        let fitting: Vec<&str> = words.iter().copied().chain(["--constraint", &pins]).collect();
        // One that was installed from elsewhere has a version that no index knows.
        let chosen = bench
            .uv(step, &fitting, false)
            .or_else(|error| bench.uv(step, &words, false).map_err(|_| error))?;
        let chosen = String::from_utf8_lossy(&chosen).into_owned();
        let new =
            chosen.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '-']));
        let new =
            new.filter(|line| !there.contains_key(&site::normalised(site::name_of(line)))).map(str::to_owned);
        let new = bench.lend("new.txt", lines(&mut new.into_iter()).as_bytes())?;
        let words = ["pip", "install", "--no-deps", "--only-binary", ":all:", "-r", &new.to_string_lossy()];
        bench.uv("installing the layer", &words, false)?;
        bench.seal()?;

        let (major, minor, _) = environment.version;
        let below = environment.packages();
        let adding = |folder: &Path| format!("import site; site.addsitedir({:?})", folder.to_string_lossy());
        let text = lines(&mut below.iter().map(|folder| adding(folder)));
        fs::write(
            folder.join(format!("venv/lib/python{major}.{minor}/site-packages/loopmend_below.pth")),
            text,
        )?;
        Ok(())
    }
}
