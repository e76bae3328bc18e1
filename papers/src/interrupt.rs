//! Ctrl-C: the first asks the run to stop at the next step, the second stops the program.

use std::{
    io::{self, Write},
    process,
    sync::atomic::{AtomicBool, Ordering},
};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// The exit code of a program that was interrupted, as shells have it.
pub(crate) const EXIT_CODE: u8 = 130;

/// Starts to listen. A program that cannot listen keeps the system's way: stopping at once.
pub(crate) fn listen() {
    // The handler runs on a thread of its own, so that it may exit.
    let _ = ctrlc::try_set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            process::exit(EXIT_CODE.into());
        }
        let _ = writeln!(
            io::stderr(),
            "\nfinishing this step and saving; press Ctrl-C again to quit at once"
        );
    });
}

/// Whether somebody asked to stop.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
