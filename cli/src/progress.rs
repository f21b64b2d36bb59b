//! Progress on a terminal; silence everywhere else.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A spinner for steps or a bar for counted work.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A spinner, if somebody looks.
    pub(crate) fn new(wanted: bool) -> Self {
        Self::of(wanted, ProgressBar::new_spinner())
    }
    /// A bar of so many steps, if somebody looks.
    pub(crate) fn counted(wanted: bool, total: u64) -> Self {
        let bar = ProgressBar::new(total);
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        Self::of(wanted, bar)
    }
    fn of(wanted: bool, bar: ProgressBar) -> Self {
        if wanted && std::io::stderr().is_terminal() {
            bar.enable_steady_tick(Duration::from_millis(120));
            Self { bar }
        } else {
            Self { bar: ProgressBar::hidden() }
        }
    }
    /// Says what is being done.
    pub(crate) fn step(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }
    /// One more step is done.
    pub(crate) fn advance(&self) {
        self.bar.inc(1);
    }
    /// Clears the line.
    pub(crate) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
