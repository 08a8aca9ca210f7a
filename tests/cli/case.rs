//! One folder, one manifest, one command line: what a test of the built program is made of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with files and a manifest, and the program to run in it.
pub struct Case {
    folder: tempfile::TempDir,
    settings: Vec<(String, String)>,
}

/// What a finished program left.
pub struct Done {
    /// Exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Case {
    /// An empty folder.
    pub fn new() -> Case {
        Case { folder: tempfile::tempdir().expect("a temporary folder"), settings: Vec::new() }
    }

    /// Writes a file, with the folders above it.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Case {
        self.write(name, content);
        self
    }

    /// Writes a file into a case that is already in use.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("folders can be made");
        fs::write(path, content).expect("files can be written");
    }

    /// `m.csv` with these rows of (module, record, file), and each file with its own name as content.
    pub fn rows(self, rows: &[(&str, &str, &str)]) -> Case {
        let mut manifest = String::from("module,record,file\n");
        let mut case = self;
        for (module, record, file) in rows {
            manifest.push_str(&format!("{module},{record},{file}\n"));
            case = case.file(file, format!("content of {file}"));
        }
        case.file("m.csv", manifest)
    }

    /// `m.csv` with `count` rows of one module, each another record and another small file.
    pub fn many_rows(self, count: u64) -> Case {
        let mut manifest = String::from("module,record,file\n");
        let mut case = self;
        for number in 0..count {
            manifest.push_str(&format!("Leads,{},f/{number}.txt\n", 738_964_000_000_291_000 + number));
            case = case.file(&format!("f/{number}.txt"), format!("content of {number}"));
        }
        case.file("m.csv", manifest)
    }

    /// Sets an environment variable for every run of the case.
    pub fn env(mut self, name: &str, value: &str) -> Case {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program with these arguments, in the folder, with nothing of this machine's own settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attache"));
        command.args(arguments).current_dir(self.folder());
        for (name, _) in std::env::vars() {
            let ours = name.starts_with("ATTACHE_") || name.starts_with("ZOHO_");
            if ours || name.to_ascii_lowercase().ends_with("_proxy") || name == "NO_COLOR" {
                command.env_remove(name);
            }
        }
        let home = self.folder.path().join("home");
        command.env("HOME", &home).env("XDG_CONFIG_HOME", home.join("config")).env("APPDATA", home.join("config"));
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Done {
        self.finish(self.command(arguments).output())
    }

    /// What a finished process left.
    pub fn finish(&self, output: std::io::Result<Output>) -> Done {
        let output = output.expect("the program can be started");
        Done {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The rows of a results file, as maps from column to text.
    pub fn results(&self, name: &str) -> Vec<std::collections::BTreeMap<String, String>> {
        let mut reader = csv::Reader::from_path(self.path(name)).expect("there is a results file");
        reader.deserialize().map(|row| row.expect("a results row")).collect()
    }

    /// One column of a results file.
    pub fn column(&self, name: &str, column: &str) -> Vec<String> {
        self.results(name).iter().map(|row| row[column].clone()).collect()
    }
}

impl Done {
    /// Fails the test, with everything that was printed, unless the exit status is this one.
    #[track_caller]
    pub fn exits(self, status: i32) -> Done {
        let Done { status: got, stdout, stderr } = &self;
        assert_eq!(*got, Some(status), "\n--- standard output\n{stdout}\n--- standard error\n{stderr}");
        self
    }

    /// Fails the test unless standard error says this.
    #[track_caller]
    pub fn says(self, text: &str) -> Done {
        assert!(self.stderr.contains(text), "`{text}` is not said\n--- standard error\n{}", self.stderr);
        self
    }

    /// Fails the test unless standard output says this.
    #[track_caller]
    pub fn prints(self, text: &str) -> Done {
        assert!(self.stdout.contains(text), "`{text}` is not printed\n--- standard output\n{}", self.stdout);
        self
    }
}
