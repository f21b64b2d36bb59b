//! Pages: the Markdown files of a folder, their cases as tests, and blessing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use edgesmith_pass::Registry;
use edgesmith_rewrite::RuleInfo;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::case::{self, Case, Outcomes};
use crate::run::{disagreement, run};

/// Set to anything but `0`, what came of the cases is written into the pages.
const BLESS: &str = "EDGESMITH_BLESS";

/// Runs the cases of every page (`*.md`) of a folder as tests, each under its own name, and ends the process: the whole
/// `main` of a test target with `harness = false`.
///
/// `root` is the crate's folder, `env!("CARGO_MANIFEST_DIR")`; `register` registers the passes. Beside the cases there is one
/// test a rule: that it has a page, with a case in which it fires and one in which it does not.
pub fn cases(root: &str, folder: &str, register: fn(&mut Registry)) -> ! {
    let arguments = Arguments::from_args();
    let bless = std::env::var(BLESS).is_ok_and(|value| value != "0");
    let folder = Path::new(root).join(folder);
    libtest_mimic::run(&arguments, trials(&folder, register, bless)).exit()
}

/// The tests of a folder of pages, for test targets that add some of their own.
pub fn trials(folder: &Path, register: fn(&mut Registry), bless: bool) -> Vec<Trial> {
    let mut registry = Registry::new();
    register(&mut registry);
    let registry = Arc::new(registry);
    let mut trials = Vec::new();
    let fault = |name: String, message: String| Trial::test(name, move || Err(Failed::from(message)));
    let mut pages = match pages(folder) {
        Ok(pages) => pages,
        Err(error) => return vec![fault("pages".into(), error)],
    };
    for page in &mut pages {
        let read = if bless { page.bless(&registry) } else { page.cases() };
        match read {
            Ok(found) if found.is_empty() => trials.push(fault(page.name.clone(), "the page has no case".into())),
            Ok(found) => trials.extend(found.into_iter().map(|case| page.trial(case, &registry))),
            Err(error) => trials.push(fault(page.name.clone(), format!("{}: {error}", page.path.display()))),
        }
    }
    for rule in registry.passes().flat_map(|entry| &entry.rules) {
        let (rule, pages, registry) = (*rule, pages.clone(), Arc::clone(&registry));
        trials.push(Trial::test(format!("{}: the page covers the rule", rule.name), move || {
            covers(rule, &pages, &registry, bless).map_err(Failed::from)
        }));
    }
    if pages.is_empty() {
        trials.push(fault("pages".into(), format!("there is no page in {}", folder.display())));
    }
    trials
}

/// Whether a rule has the page of its name for a manual, with a case in which it fires and one in which it does not.
fn covers(rule: RuleInfo, pages: &[Page], registry: &Registry, blessed: bool) -> Result<(), String> {
    let Some(page) = pages.iter().find(|page| page.name == rule.name) else {
        return Err(format!("there is no page {}.md", rule.name));
    };
    // A page that was just blessed is not in this binary yet.
    if rule.manual != page.text && !blessed {
        return Err(format!("its manual is not the text of {}; name the page with include_str!", page.path.display()));
    }
    let (mut fires, mut refuses) = (false, false);
    for case in page.cases()? {
        // A case that fails says so itself.
        let Ok(ran) = run(&case, registry) else { continue };
        let fired = ran.fired.iter().any(|name| name == rule.name);
        fires |= fired;
        refuses |= !fired;
    }
    match (fires, refuses) {
        (true, true) => Ok(()),
        (false, _) => Err(format!("in no case of {} the rule fires", page.path.display())),
        (true, false) => Err(format!("in every case of {} the rule fires", page.path.display())),
    }
}

/// One Markdown file.
#[derive(Clone, Debug)]
pub struct Page {
    /// The file's name without its extension.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    text: String,
}

fn pages(folder: &Path) -> Result<Vec<Page>, String> {
    let failed = |path: &Path, error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        pages.push(Page { name, path, text });
    }
    pages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(pages)
}

impl Page {
    fn cases(&self) -> Result<Vec<Case>, String> {
        case::cases(&self.text)
    }

    /// Writes what came of the cases into the page; those that fail stay as they are. Returns the cases as they are now.
    fn bless(&mut self, registry: &Registry) -> Result<Vec<Case>, String> {
        let found: Vec<(Case, Outcomes)> = self
            .cases()?
            .into_iter()
            .filter_map(|case| run(&case, registry).ok().map(|ran| (case, ran.outcomes)))
            .collect();
        let text = case::bless(&self.text, &found);
        if text != self.text {
            std::fs::write(&self.path, &text)
                .map_err(|error| format!("{} cannot be written: {error}", self.path.display()))?;
        }
        self.text = text;
        self.cases()
    }

    fn trial(&self, case: Case, registry: &Arc<Registry>) -> Trial {
        let (path, registry) = (self.path.clone(), Arc::clone(registry));
        Trial::test(format!("{}: {}", self.name, case.title), move || {
            let place = format!("{}:{}", path.display(), case.line);
            let ran = run(&case, &registry).map_err(|why| Failed::from(format!("{place}\n{why}")))?;
            match disagreement(&case, &ran.outcomes) {
                None => Ok(()),
                Some(text) => Err(Failed::from(format!("{place}\n{text}{BLESS}=1 writes it into the page"))),
            }
        })
    }
}
