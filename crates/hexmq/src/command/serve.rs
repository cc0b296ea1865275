//! `hexmq serve`: the server.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{Config, ConfigError, ConfigFile, Settings};
use crate::serve;

/// The server: MQTT listeners and the HTTP API
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Every setting is also a key of the same name (with _) in the file of --config, which \
                        knows [[user]] name=, password_hash= and [[listener]] url=, tls_cert=, tls_key=, tls_client_ca= besides.\n\
                        SIGTERM drains and ends with 0; SIGHUP reads users, certificates, log level and limits again."
)]
pub(crate) struct Args {
    /// Read settings from a TOML file; flags win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration and end
    #[arg(long)]
    check: bool,
    /// Print the resolved configuration and end
    #[arg(long)]
    print_config: bool,
    #[command(flatten)]
    settings: Settings,
}

/// The exit status of a configuration that is refused.
const REFUSED: u8 = 64;

impl Args {
    /// Reads the file anew and joins it with the flags.
    pub(crate) fn resolve(&self) -> Result<Config, ConfigError> {
        let file = match &self.config {
            Some(path) => ConfigFile::read(path)?,
            None => ConfigFile::default(),
        };
        Config::resolve(self.settings.clone(), file)
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    let config = match args.resolve() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("hexmq serve: {error}");
            return ExitCode::from(REFUSED);
        }
    };
    if args.print_config {
        print!("{config}");
        return ExitCode::SUCCESS;
    }
    if args.check {
        match serve::check(&config) {
            Ok(warnings) => warnings.iter().for_each(|warning| eprintln!("hexmq serve: warning: {warning}")),
            Err(error) => {
                eprintln!("hexmq serve: {error}");
                return ExitCode::from(REFUSED);
            }
        }
        eprintln!("hexmq serve: the configuration is good");
        return ExitCode::SUCCESS;
    }
    match serve::run(args, &config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("hexmq serve: {message}");
            ExitCode::FAILURE
        }
    }
}
