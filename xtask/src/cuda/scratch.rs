//! Folders of tests.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::shell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that goes when the test ends.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// An empty folder; `name` is the test's own.
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("asap-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and the folders it lies in.
    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Writes a script that the system runs as a program. By another process: while this one has a file open to write, a
    /// program that another test starts may hold it open too, and then the system does not run it.
    pub(super) fn program(&self, name: &str, text: &str) -> PathBuf {
        let written = self.write(&format!("{name}.text"), text);
        let path = self.0.join(name);
        let mut copy = Command::new("sh");
        copy.args(["-c", "cp \"$0\" \"$1\" && chmod +x \"$1\""]);
        shell::output(copy.args([&written, &path]), "the tests need it").unwrap();
        path
    }

    pub(super) fn gcc(&self, words: &str) {
        let mut command = Command::new("gcc");
        command.current_dir(&self.0).args(words.split(' '));
        shell::output(&mut command, "the tests need it").unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays is no reason to fail.
        let _ = fs::remove_dir_all(&self.0);
    }
}
