use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{DatabaseUrl, DbError, State, TraceStore, address::Place};

/// How often the file is looked at. A mounted Secret is swapped by a link, which notifications on the file miss.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The address of a Postgres, with its password, in a file such as one of a mounted Secret.
#[derive(Debug)]
pub struct AddressFile {
    file: PathBuf,
    url: DatabaseUrl,
}

impl AddressFile {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or does not hold the address of a Postgres: a file of SQLite needs no password to be hidden, and
    /// several consoles that are given one address must not each keep their own.
    pub fn open(file: PathBuf) -> Result<Self, DbError> {
        let url = read(&file)?;
        Ok(Self { file, url })
    }

    /// The address that it held at first.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Follows the file until the task is dropped: connections made from now on use a renewed name or password. Another
    /// database is not moved to, since what is open belongs to this one.
    pub async fn follow(self, state: State, traces: TraceStore) {
        let mut known: Result<_, String> = Ok(self.url.clone());
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = read(&self.file).map_err(|error| error.to_string());
            if now == known {
                continue;
            }
            let file = self.file.display();
            match &now {
                Ok(url) if url.to_string() == self.url.to_string() => {
                    match state.database.renew(url).and_then(|()| traces.renew(url)) {
                        Ok(()) => tracing::info!(%file, "the database's address was read again"),
                        Err(error) => tracing::error!(%error, %file, "the database's address cannot be used"),
                    }
                }
                Ok(url) => {
                    tracing::warn!(%file, present = %self.url, "the file names {url}: restart the console to use it")
                }
                Err(error) => {
                    tracing::error!(%error, %file, "the database's address cannot be read; the one before stays in use");
                }
            }
            known = now;
        }
    }
}

fn read(file: &Path) -> Result<DatabaseUrl, DbError> {
    let text = fs::read_to_string(file).map_err(|error| DbError::Address(error.to_string()))?;
    let Ok(url) = text.trim().parse::<DatabaseUrl>();
    match url.place()? {
        Place::Postgres(_) => Ok(url),
        Place::Sqlite(_) => Err(DbError::Address("it names a file of SQLite, which --database takes".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_the_address_of_a_postgres() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("database");
        let refused = |text: &str| {
            fs::write(&file, text).unwrap();
            AddressFile::open(file.clone()).unwrap_err().to_string()
        };
        assert!(refused("sqlite:/var/lib/weft/console.db").contains("which --database takes"));
        for wrong in ["", "postgres://weft:hunter2@db:port/weft", "hunter2"] {
            let told = refused(wrong);
            assert!(!told.contains("hunter2"), "{told}");
        }
        fs::write(&file, "postgres://weft:hunter2@db.example/weft\n").unwrap();
        assert_eq!(AddressFile::open(file.clone()).unwrap().url().to_string(), "postgres://db.example:5432/weft");
        fs::remove_file(&file).unwrap();
        assert!(AddressFile::open(file).is_err());
    }
}
