//! Where the payload of `pub` and `rr` comes from.

use std::io::Read;
use std::path::PathBuf;

use super::Trouble;

#[derive(Debug, clap::Args)]
#[group(id = "payload", multiple = false)]
pub(crate) struct PayloadArgs {
    /// The payload
    #[arg(short, long, value_name = "PAYLOAD", allow_hyphen_values = true)]
    message: Option<String>,
    /// The payload is the content of this file
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The payload is empty
    #[arg(short, long)]
    null_message: bool,
    /// The payload is all of stdin
    #[arg(short, long)]
    stdin_file: bool,
}

impl PayloadArgs {
    /// Reads the payload; `None` if no option says where it is.
    pub(crate) fn read(&self) -> Result<Option<Vec<u8>>, Trouble> {
        if let Some(message) = &self.message {
            return Ok(Some(message.clone().into_bytes()));
        }
        if let Some(path) = &self.file {
            return std::fs::read(path).map(Some).map_err(|error| {
                Trouble::new(
                    format!("cannot read {}", path.display()),
                    error,
                    "-f with a file that exists and may be read",
                )
            });
        }
        if self.null_message {
            return Ok(Some(Vec::new()));
        }
        if self.stdin_file {
            let mut payload = Vec::new();
            return std::io::stdin()
                .read_to_end(&mut payload)
                .map(|_| Some(payload))
                .map_err(|error| Trouble::new("cannot read stdin", error, "-f FILE, or -m PAYLOAD"));
        }
        Ok(None)
    }
}
