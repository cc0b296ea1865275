//! Where a data base is.

use std::fmt;
use std::path::PathBuf;

/// Where the data base is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A file of SQLite; it is made if it is not there, its directory is not.
    Sqlite(PathBuf),
    /// Nowhere: it is gone when it is closed. For tests and for trying things out.
    Memory,
    /// A PostgreSQL server: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or `…?host=/directory/of/socket`.
    Postgres(String),
}

impl Location {
    /// Reads a location: `postgres://…` or `postgresql://…`, `memory`, `sqlite:PATH`, or a path.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Location, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the data base is not named: give a path or postgres://USER@HOST/DATABASE".to_owned());
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Location::Postgres(text.to_owned()));
        }
        if matches!(text, "memory" | ":memory:") {
            return Ok(Location::Memory);
        }
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err("sqlite: needs a path, such as sqlite:/var/lib/hexmq/devices.db".to_owned()),
                path => Ok(Location::Sqlite(PathBuf::from(path))),
            };
        }
        match text.split_once("://") {
            Some((scheme, _)) => Err(format!(
                "{scheme}:// is no data base that is known here: postgres://USER@HOST/DATABASE or a path for SQLite"
            )),
            None => Ok(Location::Sqlite(PathBuf::from(text))),
        }
    }
}

/// As [`Location::parse`] reads it, but for the password, which is not shown.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Sqlite(path) => write!(f, "{}", path.display()),
            Location::Memory => f.write_str("memory"),
            Location::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "postgres://…".to_owned() };
    // Parameters may hold a password as well.
    let (rest, parameters) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?…"));
    let shown = match rest.rsplit_once('@') {
        Some((user, place)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:…@{place}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    format!("{scheme}://{shown}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_told_apart() {
        assert_eq!(Location::parse("/a/b.db"), Ok(Location::Sqlite("/a/b.db".into())));
        assert_eq!(Location::parse("sqlite:///a/b.db"), Ok(Location::Sqlite("/a/b.db".into())));
        assert_eq!(Location::parse("sqlite:b.db"), Ok(Location::Sqlite("b.db".into())));
        assert_eq!(Location::parse(" memory "), Ok(Location::Memory));
        assert_eq!(
            Location::parse("postgres://u@h/d"),
            Ok(Location::Postgres("postgres://u@h/d".to_owned()))
        );
        assert!(Location::parse("mysql://u@h/d").is_err_and(|error| error.contains("mysql://")));
        assert!(Location::parse("").is_err());
        assert!(Location::parse("sqlite:").is_err());
    }

    #[test]
    fn a_password_is_not_shown() {
        for url in ["postgres://me:s3cret@host/d", "postgres://host/d?user=me&password=s3cret"] {
            let location = Location::parse(url).unwrap();
            for shown in [format!("{location}"), format!("{location:?}")] {
                assert!(!shown.contains("s3cret"), "{shown}");
                assert!(shown.contains("host/d"), "{shown}");
            }
        }
    }
}
