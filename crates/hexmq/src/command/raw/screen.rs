//! Where lines go: above the prompt if there is one.

use std::io::{self, Write};

use rustyline::ExternalPrinter;

/// Prints lines.
pub(super) enum Screen {
    /// To standard output.
    Plain,
    /// Above the line that is being edited.
    AbovePrompt(Box<dyn ExternalPrinter>),
}

impl Screen {
    /// Prints a line, or several.
    pub(super) fn say(&mut self, text: &str) {
        let text = format!("{}\n", text.trim_end_matches('\n'));
        // A reader that goes away early (`| head`) is no error of ours.
        match self {
            Screen::Plain => {
                let mut out = io::stdout().lock();
                let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            }
            Screen::AbovePrompt(printer) => {
                let _ = printer.print(text);
            }
        }
    }
}
