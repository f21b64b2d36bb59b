//! Panics inside tract become messages.
//!
//! tract panics on some operands it does not like. Every call into it that can run code of an operator goes through
//! [`guarded`]; the thread's panic message is not printed meanwhile, other threads' are.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<u32> = const { Cell::new(0) };
}

/// Runs `work`; a panic inside becomes its message. Whatever `work` was writing to must be dropped after that.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let outer = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.try_with(Cell::get).unwrap_or(0) == 0 {
                outer(info);
            }
        }));
    });
    QUIET.with(|depth| depth.set(depth.get() + 1));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    QUIET.with(|depth| depth.set(depth.get() - 1));
    outcome.map_err(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        format!("panic: {}", one_line(text))
    })
}

/// [`guarded`] for work that can also fail.
pub(crate) fn guarded_result<T>(work: impl FnOnce() -> tract_core::internal::TractResult<T>) -> Result<T, String> {
    guarded(work)?.map_err(|error| one_line(&format!("{error:#}")))
}

/// The text on one line, shortened.
pub(crate) fn one_line(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(400) {
        line.truncate(end);
        line.push_str(" ...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message_and_the_next_call_is_unharmed() {
        let caught = guarded(|| -> u32 { panic!("index\n out of range") });
        assert_eq!(caught, Err("panic: index out of range".to_owned()));
        assert_eq!(guarded(|| 7), Ok(7));
    }

    #[test]
    fn long_messages_are_cut() {
        assert_eq!(one_line(&"é".repeat(1000)).chars().count(), 404);
    }
}
