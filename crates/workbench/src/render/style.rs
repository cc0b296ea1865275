//! Colour, or none.

/// Paints text where colour is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) colour: bool,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour && !text.trim().is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(super) fn title(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn hex(self, text: &str) -> String {
        self.paint("36", text)
    }

    pub(super) fn name(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn quiet(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn fault(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(super) fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }
}
