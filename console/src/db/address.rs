use std::{convert::Infallible, fmt, path::Path, path::PathBuf, str::FromStr};

use sqlx::postgres::PgConnectOptions;

use super::DbError;

/// Which database: `postgres://…` or `sqlite:FILE`. It may hold a password, so it is shown without.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

/// What an address names.
pub(super) enum Place {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl DatabaseUrl {
    /// The file that is used when no database is named.
    pub fn in_directory(dir: &Path) -> Self {
        Self(format!("sqlite:{}", dir.join("console.db").display()))
    }

    pub(super) fn place(&self) -> Result<Place, DbError> {
        if let Some(file) = self.0.strip_prefix("sqlite:") {
            let file = file.strip_prefix("//").unwrap_or(file);
            return if file.is_empty() || file.contains(":memory:") {
                Err(DbError::Address(
                    "sqlite: needs the path of a file, such as sqlite:/var/lib/weft/console.db".into(),
                ))
            } else {
                Ok(Place::Sqlite(file.into()))
            };
        }
        if self.0.starts_with("postgres://") || self.0.starts_with("postgresql://") {
            let options: PgConnectOptions = self
                .0
                .parse()
                .map_err(|error: sqlx::Error| DbError::Address(format!("this is no address of a Postgres: {error}")))?;
            return Ok(Place::Postgres(Box::new(options.application_name("weft-console"))));
        }
        Err(DbError::Address("an address begins with postgres:// or sqlite:".into()))
    }
}

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    /// Takes anything: the command line's parser repeats what it refuses, password included.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Ok(Place::Sqlite(file)) => write!(f, "sqlite:{}", file.display()),
            Ok(Place::Postgres(options)) => {
                let database = options.get_database().unwrap_or_default();
                match options.get_socket() {
                    Some(socket) => write!(f, "postgres database {database} at {}", socket.display()),
                    None => write!(f, "postgres://{}:{}/{database}", options.get_host(), options.get_port()),
                }
            }
            Err(_) => f.write_str("the address of --database"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{DatabaseUrl, Place};

    fn shown(text: &str) -> String {
        let url: DatabaseUrl = text.parse().unwrap();
        format!("{url} {url:?}")
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgres://weft:hunter2@db.example:5433/weft?sslmode=require",
            "postgres://weft:hunter2@db.example:port/weft",
            "postgresql://weft:hunter2@/weft?host=/run/postgresql",
            "mysql://weft:hunter2@db.example/weft",
            "hunter2",
        ] {
            assert!(!shown(text).contains("hunter2"), "{}", shown(text));
        }
        assert!(shown("postgres://weft:x@db.example:5433/mesh").starts_with("postgres://db.example:5433/mesh"));
    }

    #[test]
    fn a_file_may_have_any_name() {
        for (text, file) in [("sqlite:a b?.db", "a b?.db"), ("sqlite:///x/y.db", "/x/y.db"), ("sqlite:/x.db", "/x.db")]
        {
            let url: DatabaseUrl = text.parse().unwrap();
            assert!(matches!(url.place(), Ok(Place::Sqlite(path)) if path.to_str() == Some(file)), "{text}");
        }
        for text in ["sqlite:", "sqlite::memory:", "", "/x.db"] {
            assert!(text.parse::<DatabaseUrl>().unwrap().place().is_err(), "{text}");
        }
    }
}
