//! `edgesmith new pass`: what it writes, and what it refuses. With `EDGESMITH_BUILD_NEW_PASS=1` the crate is also built,
//! tested and used, which takes minutes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test")]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use common::text;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn edgesmith(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_edgesmith")).args(arguments).current_dir(folder).output().unwrap()
}

fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found
}

fn manifest(folder: &Path) -> toml::Table {
    std::fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap()
}

#[test]
fn the_crate_is_whole_and_bears_its_name() {
    let place = tempfile::tempdir().unwrap();
    let (code, out, err) = text(&edgesmith(&["new", "pass", "my-cutter"], place.path()));
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("cargo build --release") && out.contains("cd my-cutter"), "{out}");
    let folder = place.path().join("my-cutter");
    let expected = [
        ".gitignore",
        "Cargo.lock",
        "Cargo.toml",
        "README.md",
        "manual/replace-division.md",
        "pipeline.toml",
        "src/lib.rs",
        "src/main.rs",
        "src/replace_division.rs",
        "tests/cases.rs",
    ];
    assert_eq!(files(&folder), expected.map(str::to_owned).into());
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "nothing else is left");
    for file in files(&folder).iter().filter(|file| *file != "Cargo.lock") {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        for word in ["pass-template", "pass_template", "PassTemplate", "@source"] {
            assert!(!text.contains(word), "{file}: {word}");
        }
    }
    let lib = std::fs::read_to_string(folder.join("src/lib.rs")).unwrap();
    assert!(lib.contains("name: \"my-cutter\"") && lib.contains("pub struct MyCutterPass"), "{lib}");
    let main = std::fs::read_to_string(folder.join("src/main.rs")).unwrap();
    assert!(main.contains("edgesmith::main_with(my_cutter::register)"), "{main}");
    let manifest = manifest(&folder);
    for table in ["dependencies", "dev-dependencies"] {
        for (name, entry) in
            manifest[table].as_table().unwrap().iter().filter(|(name, _)| name.starts_with("edgesmith"))
        {
            let path = Path::new(entry["path"].as_str().unwrap());
            assert!(path.is_absolute() && path.join("Cargo.toml").is_file(), "{name}: {}", path.display());
        }
    }
    // Cargo finds nothing wrong with it.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let check = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

/// The template's own manifest stands in the workspace, the one that is copied does not: they must ask for the same.
#[test]
fn both_manifests_of_the_template_ask_for_the_same() {
    let inside = manifest(&root().join("passes/template"));
    let outside = manifest_of_template();
    for table in ["dependencies", "dev-dependencies", "test"] {
        match (&inside[table], &outside[table]) {
            (toml::Value::Table(inside), toml::Value::Table(outside)) => {
                assert!(inside.keys().collect::<BTreeSet<_>>() == outside.keys().collect(), "{table}");
            }
            (inside, outside) => assert_eq!(inside, outside, "{table}"),
        }
    }
    let workspace = manifest(&root());
    let package = &workspace["workspace"]["package"];
    assert_eq!(package["edition"], outside["package"]["edition"]);
    assert_eq!(package["rust-version"], outside["package"]["rust-version"]);
}

fn manifest_of_template() -> toml::Table {
    let text = std::fs::read_to_string(root().join("passes/template/outside/Cargo.toml")).unwrap();
    text.replace("@source(", "path = \"").replace(')', "\"").parse().unwrap()
}

#[test]
fn a_repository_or_a_checkout_can_be_named() {
    let place = tempfile::tempdir().unwrap();
    let url = "https://example.com/edgesmith.git";
    assert_eq!(text(&edgesmith(&["new", "pass", "one", "--git", url], place.path())).0, 0);
    let dependencies = manifest(&place.path().join("one"));
    assert_eq!(dependencies["dependencies"]["edgesmith"]["git"].as_str(), Some(url));
    assert!(!place.path().join("one/Cargo.lock").exists());
    let path = root().display().to_string();
    let inside = place.path().join("deeper");
    std::fs::create_dir(&inside).unwrap();
    let arguments = ["new", "pass", "two", "--path", &path, "--dir", "deeper"];
    let (code, out, err) = text(&edgesmith(&arguments, place.path()));
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("cd deeper/two"), "{out}");
    let dependencies = manifest(&inside.join("two"));
    assert_eq!(
        dependencies["dependencies"]["edgesmith-ir"]["path"].as_str().map(Path::new),
        Some(&*root().join("ir/core"))
    );
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("taken")).unwrap();
    std::fs::write(place.path().join("file"), "").unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["MyCutter"], "how about 'my-cutter'?"),
        (&["my_cutter"], "how about 'my-cutter'?"),
        (&["-cutter"], ""),
        (&["my--cutter"], "how about 'my-cutter'?"),
        (&["2cut"], "how about 'cut'?"),
        (&["größe"], "kebab-case"),
        (&["../up"], "how about 'up'?"),
        (&[""], "kebab-case"),
        (&["loop"], "keep that word"),
        (&["test"], "keep that word"),
        (&["fusion"], "there is a pass"),
        (&["lossless"], "there is a pass or preset"),
        (&["serde"], "a crate that it depends on"),
        (&["edgesmith-ir"], "a crate that it depends on"),
        (&["taken"], "exists already"),
        (&["file"], "exists already"),
        (&["fine", "--dir", "nowhere"], "there is no folder nowhere"),
        (&["fine", "--dir", "file"], "there is no folder file"),
        (&["fine", "--path", "taken"], "has no crate in ir/core"),
        (&["fine", "--path", "nowhere"], "cannot be read"),
        (&["fine", "--git", "not an address"], "no address"),
        (&["fine", "--git", "https://a", "--path", "b"], "cannot be used with"),
    ];
    for (arguments, message) in cases {
        let arguments: Vec<&str> = ["new", "pass"].iter().chain(*arguments).copied().collect();
        let (code, out, err) = text(&edgesmith(&arguments, place.path()));
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(message) && err.lines().count() <= 10, "{arguments:?}: {err}");
    }
    assert_eq!(files(place.path()), ["file".to_owned()].into());
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 2);
}

/// Runs a step of the author's hour and says how long it took.
fn step(what: &str, command: &mut Command) -> (i32, String, String) {
    let start = Instant::now();
    let output = command.output().unwrap();
    eprintln!("{what}: {:.1} s", start.elapsed().as_secs_f64());
    text(&output)
}

#[test]
fn the_crate_builds_passes_its_tests_and_works() {
    if std::env::var_os("EDGESMITH_BUILD_NEW_PASS").is_none() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    assert_eq!(text(&edgesmith(&["new", "pass", "my-cutter"], place.path())).0, 0);
    let folder = place.path().join("my-cutter");
    let cargo = || {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&folder).env("CARGO_TARGET_DIR", folder.join("target"));
        cargo
    };
    let light = ["build", "--release", "--no-default-features", "--target-dir", "light"];
    let (code, _, err) = step("build without an engine", cargo().args(light));
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = step("build with tract-core", cargo().args(["build", "--release"]));
    assert_eq!(code, 0, "{err}");
    let (code, out, err) = step("its tests", cargo().args(["test", "--release"]));
    assert_eq!(code, 0, "{out}{err}");
    for target in ["light", "target"] {
        let binary = folder.join(target).join("release/my-cutter");
        let run = |arguments: &[&str]| Command::new(&binary).args(arguments).current_dir(&folder).output().unwrap();
        let (code, out, _) = text(&run(&["passes"]));
        assert!(code == 0 && out.contains("my-cutter") && out.contains("replace-division"), "{out}");
        let model = common::path("digits_vit__legacy_op17").display().to_string();
        let optimize =
            |pipeline: &str| run(&["optimize", &model, "--output", "out.onnx", "--force", "--pipeline", pipeline]);
        let start = Instant::now();
        let (code, out, err) = text(&optimize("pipeline.toml"));
        eprintln!("its pipeline on a model ({target}): {:.1} s", start.elapsed().as_secs_f64());
        assert_eq!(code, 0, "{err}");
        assert!(out.contains("replace-division") && out.contains("verdict: checked"), "{out}");
        for (options, place, help) in [
            ("use = \"my-cutter\"\nroundin = true\n", "p.toml:3:1", "did you mean 'rounding'?"),
            ("use = \"my-cutter\"\nrounding = 3\n", "p.toml:3:12", "expected a boolean"),
            ("use = \"my-cuter\"\n", "p.toml:2:7", "did you mean 'my-cutter'?"),
        ] {
            std::fs::write(folder.join("p.toml"), format!("[[pass]]\n{options}")).unwrap();
            let (code, _, err) = text(&optimize("p.toml"));
            assert!(code == 2 && err.contains(place) && err.contains(help), "{err}");
        }
    }
}
