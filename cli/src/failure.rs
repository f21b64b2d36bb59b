//! What can go wrong, and the exit code that says whose fault it is.

/// Whose fault a failure is; the number is the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The model or the data.
    Model = 1,
    /// The command line or the pipeline.
    Usage = 2,
    /// A check failed and the output was withheld.
    Check = 3,
    /// edgesmith itself.
    Internal = 4,
}

/// Why a command failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Whose fault it is.
    pub fault: Fault,
    /// What happened, where, and what to do.
    pub message: String,
    /// The text that the failure points into, with its name and the bytes meant: a pipeline.
    pub source_text: Option<Box<SourceText>>,
    /// What to do about it, where that is not in the message.
    pub help: Option<String>,
}

/// A text that a failure points into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceText {
    /// The file's name.
    pub name: String,
    /// The text.
    pub text: String,
    /// The bytes meant.
    pub span: Option<(usize, usize)>,
}

impl Failure {
    fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into(), source_text: None, help: None }
    }
    /// The model or the data are at fault.
    pub fn model(message: impl Into<String>) -> Self {
        Self::new(Fault::Model, message)
    }
    /// The command line or the pipeline is at fault.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Fault::Usage, message)
    }
    /// A check failed.
    pub fn check(message: impl Into<String>) -> Self {
        Self::new(Fault::Check, message)
    }
    /// edgesmith is at fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Fault::Internal, message)
    }
    /// The same with advice.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
