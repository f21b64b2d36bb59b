//! The entry point of every edgesmith binary.

use std::process::ExitCode;

use clap::Parser;
use edgesmith_pass::Registry;
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};

use crate::args::Cli;
use crate::{Failure, Fault, built_in, commands};

/// Runs the command line with the built-in passes and those that `register` adds.
pub fn main_with(register: impl FnOnce(&mut Registry)) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Fault::Usage as u8 } else { 0 });
        }
    };
    let mut registry = built_in();
    register(&mut registry);
    // A panic that reaches this place is a fault of edgesmith; it must not look like anything else.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| commands::run(cli.command, &registry)));
    match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            // Without a message everything was said already.
            if !failure.message.is_empty() {
                print_failure(&failure);
            }
            ExitCode::from(failure.fault as u8)
        }
        Err(_) => {
            print_failure(
                &Failure::internal("a fault of edgesmith itself (see above)")
                    .with_help("please report it with the command and the model"),
            );
            ExitCode::from(Fault::Internal as u8)
        }
    }
}

/// Says what went wrong, on standard error.
pub(crate) fn print_failure(failure: &Failure) {
    use std::io::{IsTerminal, Write};
    let mut diagnostic = MietteDiagnostic::new(failure.message.clone());
    diagnostic.help.clone_from(&failure.help);
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut text = String::new();
    if let Some(source) = &failure.source_text {
        if let Some((start, end)) = source.span {
            diagnostic = diagnostic.with_label(LabeledSpan::new(None, start, end - start));
        }
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let report = Report::new(diagnostic).with_source_code(NamedSource::new(&source.name, source.text.clone()));
        if GraphicalReportHandler::new_themed(theme).render_report(&mut text, report.as_ref()).is_err() {
            text.clone_from(&failure.message);
        }
    } else {
        text = format!("error: {}", failure.message);
        if let Some(help) = &failure.help {
            text.push_str(&format!("\nhelp: {help}"));
        }
    }
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}
