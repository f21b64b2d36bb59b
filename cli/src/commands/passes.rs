//! `edgesmith passes`: what there is.

use edgesmith_pass::Registry;
use edgesmith_rewrite::Fidelity;

use super::say;

pub(super) fn run(registry: &Registry) {
    for entry in registry.passes() {
        say(&format!("{}: {}", entry.info.name, entry.info.summary));
        let rows = entry
            .rules
            .iter()
            .map(|rule| {
                let fidelity = match rule.fidelity {
                    Fidelity::Exact => "exact",
                    Fidelity::Rounding { .. } => "rounding",
                    Fidelity::Approximate => "approximate",
                };
                format!("  {:<26} {:<12} {}", rule.name, fidelity, rule.summary)
            })
            .collect::<Vec<_>>();
        say(&rows.join("\n"));
        say("");
    }
    let operators: Vec<String> = registry
        .operators()
        .iter()
        .map(|info| format!("  {:<39} {}", format!("{}.{} {}", info.domain, info.name, info.version), info.summary))
        .collect();
    if !operators.is_empty() {
        say(&format!("operators from outside\n{}\n", operators.join("\n")));
    }
    say("presets");
    let rows = registry.presets().map(|(name, text)| {
        let about = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
        vec![format!("  {name}"), about.to_owned()]
    });
    for row in rows {
        say(&format!("{:<14} {}", row[0], row[1]));
    }
}
