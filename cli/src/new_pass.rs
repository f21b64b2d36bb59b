//! A crate for a new pass, outside the workspace, from the template that the project builds and tests as its own.

use std::path::{Path, PathBuf};

use edgesmith_pass::Registry;

use crate::Failure;

/// The files of the template, by their place in the new crate.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../passes/template/outside/Cargo.toml")),
    (".gitignore", include_str!("../../passes/template/outside/gitignore")),
    ("README.md", include_str!("../../passes/template/README.md")),
    ("pipeline.toml", include_str!("../../passes/template/outside/pipeline.toml")),
    ("manual/replace-division.md", include_str!("../../passes/template/manual/replace-division.md")),
    ("src/lib.rs", include_str!("../../passes/template/src/lib.rs")),
    ("src/main.rs", include_str!("../../passes/template/src/main.rs")),
    ("src/replace_division.rs", include_str!("../../passes/template/src/replace_division.rs")),
    ("tests/cases.rs", include_str!("../../passes/template/tests/cases.rs")),
];

/// The checkout that this crate was built from.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Where a new crate finds edgesmith.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum EdgesmithSource {
    /// The checkout that this crate was built from.
    #[default]
    Built,
    /// A checkout.
    Path(PathBuf),
    /// A git repository.
    Git(String),
}

/// Writes a crate with a pass of that name into a new folder of that name in `parent`; whole or not at all. Returns the
/// folder.
///
/// # Errors
///
/// [`Failure`], when the name cannot be one, the folder is there already, or edgesmith is not where it should be.
pub fn new_pass(name: &str, parent: &Path, source: &EdgesmithSource, registry: &Registry) -> Result<PathBuf, Failure> {
    check_name(name, registry)?;
    let checkout = match source {
        EdgesmithSource::Built => Some(built_checkout()?),
        EdgesmithSource::Path(path) => Some(checkout(path)?),
        EdgesmithSource::Git(url) => {
            check_url(url)?;
            None
        }
    };
    if !parent.is_dir() {
        return Err(Failure::usage(format!("there is no folder {}", parent.display()))
            .with_help("make it first, or give another --dir"));
    }
    let target = parent.join(name);
    if target.symlink_metadata().is_ok() {
        return Err(Failure::usage(format!("{} exists already", target.display()))
            .with_help("choose another name, or another --dir"));
    }
    let failed = |error: std::io::Error| Failure::usage(format!("{} cannot be written: {error}", target.display()));
    let workshop = tempfile::Builder::new().prefix(".edgesmith-new").tempdir_in(parent).map_err(failed)?;
    let folder = workshop.path().join(name);
    for (place, text) in FILES {
        let file = folder.join(place);
        std::fs::create_dir_all(file.parent().unwrap_or(&folder)).map_err(failed)?;
        std::fs::write(file, fill(text, name, source, checkout.as_deref())).map_err(failed)?;
    }
    // The versions of everything else that edgesmith was tested with.
    if let Some(lock) = checkout.map(|checkout| checkout.join("Cargo.lock")).filter(|lock| lock.is_file()) {
        std::fs::copy(lock, folder.join("Cargo.lock")).map_err(failed)?;
    }
    std::fs::rename(&folder, &target).map_err(failed)?;
    Ok(target)
}

/// A file of the template with the names of the new crate.
fn fill(text: &str, name: &str, source: &EdgesmithSource, checkout: Option<&Path>) -> String {
    let camel: String = name
        .split('-')
        .flat_map(|word| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)))
        .collect();
    let text = text
        .replace("edgesmith-pass-template", name)
        .replace("edgesmith_pass_template", &name.replace('-', "_"))
        .replace("pass-template", name)
        .replace("PassTemplate", &format!("{camel}Pass"));
    let mut filled = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, (folder, after))) =
        rest.split_once("@source(").and_then(|(before, after)| Some((before, after.split_once(')')?)))
    {
        filled.push_str(before);
        filled.push_str(&match (source, checkout) {
            (EdgesmithSource::Git(url), _) => format!("git = {}", quoted(url)),
            (_, Some(checkout)) => format!("path = {}", quoted(&checkout.join(folder).to_string_lossy())),
            (_, None) => format!("path = {}", quoted(folder)),
        });
        rest = after;
    }
    filled + rest
}

/// A string of TOML; JSON's strings are ones.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The folders of the checkout that a new crate depends on.
fn folders() -> impl Iterator<Item = &'static str> {
    FILES[0].1.split("@source(").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

fn built_checkout() -> Result<PathBuf, Failure> {
    checkout(Path::new(CHECKOUT)).map_err(|_| {
        Failure::usage(format!("the checkout that this binary was built from is not there any more: {CHECKOUT}"))
            .with_help("say where edgesmith is with --path DIR or --git URL")
    })
}

/// A folder as an absolute path, if edgesmith is in it.
fn checkout(path: &Path) -> Result<PathBuf, Failure> {
    let absolute = path.canonicalize().map_err(|error| {
        Failure::usage(format!("{} cannot be read: {error}", path.display()))
            .with_help("--path is a checkout of edgesmith")
    })?;
    match folders().find(|folder| !absolute.join(folder).join("Cargo.toml").is_file()) {
        Some(missing) => Err(Failure::usage(format!("{} has no crate in {missing}", path.display()))
            .with_help("--path is a checkout of edgesmith, the folder with ir, passes and cli in it")),
        None => Ok(absolute),
    }
}

fn check_url(url: &str) -> Result<(), Failure> {
    if url.is_empty() || url.starts_with('-') || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Failure::usage(format!("'{url}' is no address of a git repository"))
            .with_help("write it as in --git https://example.com/edgesmith.git"));
    }
    Ok(())
}

/// Words that Rust or cargo keep for themselves.
const RESERVED: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    "aux",
    "con",
    "nul",
    "prn",
];

/// Longer names make paths that some systems refuse.
const LONGEST: usize = 64;

fn check_name(name: &str, registry: &Registry) -> Result<(), Failure> {
    let fail = |why: &str| {
        let failure = Failure::usage(format!("a pass cannot be called '{name}': {why}"));
        Err(match suggestion(name) {
            Some(better) => failure.with_help(format!("how about '{better}'?")),
            None => failure.with_help("write a noun for the technique in lower case, as in channel-gating"),
        })
    };
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !name.split('-').all(word) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return fail("it is no kebab-case (lower case letters and digits, words joined by single hyphens)");
    }
    if name.len() > LONGEST {
        return fail("it is longer than 64 characters");
    }
    if RESERVED.contains(&name) {
        return fail("Rust or cargo keep that word for themselves");
    }
    if registry.get(name).is_some() || registry.preset_text(name).is_some() {
        return fail("there is a pass or preset of that name");
    }
    let taken = FILES[0].1.lines().filter_map(|line| Some(line.split_once(" = {")?.0));
    if name.starts_with("edgesmith") || taken.chain(["schemars"]).any(|dependency| dependency == name) {
        return fail("a crate that it depends on is called so");
    }
    Ok(())
}

/// A name that can be, near one that cannot.
fn suggestion(name: &str) -> Option<String> {
    let mut better = String::new();
    for c in name.chars().take(LONGEST) {
        if c.is_ascii_alphanumeric() {
            // A hump of camel case starts a word.
            if c.is_ascii_uppercase()
                && better.ends_with(|last: char| last.is_ascii_lowercase() || last.is_ascii_digit())
            {
                better.push('-');
            }
            better.push(c.to_ascii_lowercase());
        } else if !better.is_empty() && !better.ends_with('-') {
            better.push('-');
        }
    }
    let better = better.trim_matches('-').trim_start_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
    (!better.is_empty() && better != name && !RESERVED.contains(&better.as_str())).then_some(better)
}
