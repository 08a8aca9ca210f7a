//! Whom a run asks before it sends, and an undo before it deletes, on a pseudo-terminal: the person in front of it, whatever the standard streams lead to.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use attache::internals::results::Line;

use crate::case::Case;
use crate::service::RunningSandbox;

/// A proxy that refuses to let anybody through, and remembers where they wanted to go.
struct Proxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let shared = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).expect("a request");
                shared.lock().expect("whole").push(line);
                let refused =
                    b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                // Whoever has gone away needs no answer.
                let _ = stream.write_all(refused);
            }
        });
        Proxy { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("whole").len()
    }
}

/// A run to a host that is nowhere, by way of the proxy, with all its streams redirected.
fn run(case: &Case, proxy: &Proxy, more: &[&str]) -> Command {
    let mut arguments = vec!["run", "m.csv", "--api-domain", "https://crm.zylker.invalid", "--retries", "0"];
    arguments.extend(more);
    let mut command = case.command(&arguments);
    command.env("HTTPS_PROXY", format!("http://{}", proxy.address)).env("ZOHO_ACCESS_TOKEN", "1000.token");
    command
}

/// Starts a command as the leader of a terminal of its own; what it says goes to files in the case's folder.
fn on_a_terminal(case: &Case, command: &Command) -> (Child, pty_process::blocking::Pty) {
    let (pty, terminal) = pty_process::blocking::open().expect("a pseudo-terminal");
    let file = |name: &str| File::create(case.path(name)).expect("a file");
    let mut started = pty_process::blocking::Command::new(command.get_program())
        .args(command.get_args())
        .current_dir(case.folder())
        .stdin(Stdio::null())
        .stdout(file("stdout"))
        .stderr(file("stderr"));
    for (name, value) in command.get_envs() {
        started = match value {
            Some(value) => started.env(name, value),
            None => started.env_remove(name),
        };
    }
    (started.spawn(terminal).expect("it starts"), pty)
}

/// Reads what is shown until it holds this text. While nobody has the terminal open, there is nothing to be read.
fn read_until(mut pty: impl Read, text: &str) -> String {
    let mut shown = Vec::new();
    let mut buffer = [0; 256];
    crate::resume::wait_until(|| {
        let read = pty.read(&mut buffer).unwrap_or(0);
        shown.extend_from_slice(&buffer[..read]);
        String::from_utf8_lossy(&shown).contains(text)
    });
    String::from_utf8_lossy(&shown).into_owned()
}

fn said(case: &Case) -> String {
    std::fs::read_to_string(case.path("stderr")).expect("what was said")
}

#[test]
fn the_terminal_is_asked_though_every_stream_is_redirected() {
    for (answer, code, contacted) in [("y\n", 4, true), ("n\n", 4, false), ("\n", 4, false)] {
        let (case, proxy) = (Case::new().many_rows(3), Proxy::start());
        let (mut child, pty) = on_a_terminal(&case, &run(&case, &proxy, &[]));
        let shown = read_until(&pty, "[y/N] ");
        assert!(shown.contains("Send 3 rows to crm.zylker.invalid"), "{shown}");
        assert_eq!(proxy.asked(), 0, "before the answer");
        (&pty).write_all(answer.as_bytes()).expect("typed");
        assert_eq!(child.wait().expect("it ends").code(), Some(code), "{answer:?}: {}", said(&case));
        assert_eq!(proxy.asked() > 0, contacted, "{answer:?}: {}", said(&case));
    }
}

/// The same command, started by another program with these arguments before its own.
fn by_way_of(program: &str, arguments: &[&str], command: &Command) -> Command {
    let mut starter = Command::new(program);
    starter.args(arguments).arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => starter.env(name, value),
            None => starter.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        starter.current_dir(folder);
    }
    starter
}

/// Starts a command in the background of a terminal; gives its exit status.
fn in_the_background(case: &Case, command: &Command) -> Option<i32> {
    let shell = by_way_of("/bin/sh", &["-c", "set -m; \"$@\" & wait $!", "sh"], command);
    let (mut child, _pty) = on_a_terminal(case, &shell);
    child.wait().expect("it ends").code()
}

#[test]
fn a_background_job_is_told_to_be_started_with_yes() {
    let (case, proxy) = (Case::new().many_rows(3), Proxy::start());
    let job = |more: &[&str]| in_the_background(&case, &run(&case, &proxy, more));
    assert_eq!((job(&[]), proxy.asked()), (Some(2), 0));
    assert!(said(&case).contains("--yes"), "{}", said(&case));
    assert_eq!(job(&["--yes"]), Some(4), "{}", said(&case));
    assert!(proxy.asked() > 0, "{}", said(&case));
}

#[test]
fn nobody_is_asked_about_this_machine() {
    let (case, service) = (Case::new().many_rows(2), RunningSandbox::with_faults(&[]));
    let mut command = case.command(&["run", "m.csv", "--api-domain", &service.url(), "--settle-time", "0s"]);
    command.env("ZOHO_ACCESS_TOKEN", service.token());
    let (mut child, _pty) = on_a_terminal(&case, &command);
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{}", said(&case));
    assert_eq!(service.created().len(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn without_any_terminal_a_run_goes_on() {
    let (case, proxy) = (Case::new().many_rows(2), Proxy::start());
    let mut apart = by_way_of("setsid", &["--wait"], &run(&case, &proxy, &[]));
    case.finish(apart.output()).exits(4);
    assert!(proxy.asked() > 0);
}

/// An undo at a host that is nowhere, by way of the proxy. Its results hold one attachment that can be taken back.
fn undo(proxy: &Proxy, more: &[&str]) -> (Case, Command) {
    let (case, service) = (Case::new().many_rows(1), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    crate::identity::rewrite(&case, |line| Line { target: "crm.zylker.invalid".to_owned(), ..line });
    let arguments = ["undo", "m.results.csv", "--delete", "--api-domain", "https://crm.zylker.invalid"];
    let mut command = case.command(&[&arguments, more].concat());
    command.env("HTTPS_PROXY", format!("http://{}", proxy.address)).env("ZOHO_ACCESS_TOKEN", "1000.token");
    (case, command)
}

#[test]
fn an_undo_asks_before_it_deletes() {
    for (answer, contacted) in [("y\n", true), ("n\n", false), ("\n", false)] {
        let proxy = Proxy::start();
        let (case, command) = undo(&proxy, &[]);
        let (mut child, pty) = on_a_terminal(&case, &command);
        let shown = read_until(&pty, "[y/N] ");
        assert!(shown.contains("Delete 1 attachment from crm.zylker.invalid"), "{shown}");
        assert_eq!(proxy.asked(), 0, "before the answer");
        (&pty).write_all(answer.as_bytes()).expect("typed");
        assert_eq!(child.wait().expect("it ends").code(), Some(4), "{answer:?}: {}", said(&case));
        assert_eq!(proxy.asked() > 0, contacted, "{answer:?}: {}", said(&case));
        assert_eq!(case.column("m.results.csv", "status")[0], "uploaded", "nobody has deleted anything");
    }
}

#[test]
fn an_undo_in_the_background_is_told_to_be_started_with_yes() {
    let proxy = Proxy::start();
    let (case, command) = undo(&proxy, &[]);
    assert_eq!((in_the_background(&case, &command), proxy.asked()), (Some(2), 0), "{}", said(&case));
    assert!(said(&case).contains("--yes"), "{}", said(&case));
    let (case, command) = undo(&proxy, &["--yes"]);
    assert_eq!(in_the_background(&case, &command), Some(4), "{}", said(&case));
    assert!(proxy.asked() > 0, "{}", said(&case));
}

#[cfg(target_os = "linux")]
#[test]
fn without_any_terminal_an_undo_that_was_told_to_delete_goes_on() {
    let proxy = Proxy::start();
    let (case, command) = undo(&proxy, &[]);
    case.finish(by_way_of("setsid", &["--wait"], &command).output()).exits(4);
    assert!(proxy.asked() > 0);
}

#[test]
fn an_undo_asks_nobody_about_this_machine() {
    let (case, service) = (Case::new().many_rows(2), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    let (mut child, _pty) = on_a_terminal(&case, &crate::undo::command(&service, &case, &["--delete"]));
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{}", said(&case));
    assert_eq!(service.alive(), 0);
}
