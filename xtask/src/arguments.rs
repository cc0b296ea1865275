//! The few flags of the workshop's subcommands: `--name value` and `--name`, in any order.

/// The arguments after the subcommand.
#[derive(Debug)]
pub(crate) struct Arguments {
    rest: Vec<String>,
}

impl Arguments {
    /// Takes the words as they came.
    pub(crate) fn new(words: Vec<String>) -> Arguments {
        Arguments { rest: words }
    }

    /// Whether the switch was given; removes it.
    pub(crate) fn switch(&mut self, name: &str) -> bool {
        match self.rest.iter().position(|word| word == name) {
            Some(place) => {
                self.rest.remove(place);
                true
            }
            None => false,
        }
    }

    /// The value after the flag; removes both.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<String>, String> {
        let Some(place) = self.rest.iter().position(|word| word == name) else { return Ok(None) };
        if place + 1 >= self.rest.len() {
            return Err(format!("{name} needs a value"));
        }
        self.rest.remove(place);
        Ok(Some(self.rest.remove(place)))
    }

    /// The number after the flag, or the default.
    pub(crate) fn number(&mut self, name: &str, default: u64) -> Result<u64, String> {
        match self.value(name)? {
            Some(text) => text.parse().map_err(|_| format!("{name} needs a number, not {text:?}")),
            None => Ok(default),
        }
    }

    /// All words not taken yet.
    pub(crate) fn into_rest(self) -> Vec<String> {
        self.rest
    }

    /// Refuses words nobody took.
    pub(crate) fn finish(self) -> Result<(), String> {
        match self.rest.first() {
            Some(word) => Err(format!("unexpected argument {word:?}; `cargo xtask` lists what there is")),
            None => Ok(()),
        }
    }
}
