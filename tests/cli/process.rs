//! What befalls the process and its results file: torn and edited lines, locks, places that cannot be written, signals,
//! readers that go away.

use std::fs;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::case::Case;
use crate::raw::{Raw, RawMoment};
use crate::resume::wait_until;
use crate::service::RunningSandbox;

/// A service that holds back the answer to each upload until something is sent, or the sender is dropped.
fn held_back(case: &Case) -> (Raw, Sender<()>) {
    let (sender, receiver) = channel();
    let receiver = Mutex::new(receiver);
    let raw = Raw::watched(case, move |moment, _| {
        if moment == RawMoment::Whole {
            // An error says that nobody will ever send.
            let _ = receiver.lock().map(|receiver| receiver.recv());
        }
    });
    (raw, sender)
}

/// A run that was killed when its first row was done and its second had arrived.
pub fn killed_with_the_second_row_in_doubt(case: &Case) -> Raw {
    let (raw, hold) = held_back(case);
    let mut child = raw.command(case, &[]).stderr(Stdio::null()).spawn().expect("a run");
    hold.send(()).expect("the service waits");
    wait_until(|| raw.arrived().len() == 2);
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    raw
}

fn results(case: &Case) -> String {
    fs::read_to_string(case.path("m.results.csv")).expect("the results")
}

#[test]
fn a_torn_last_line_is_dropped_and_its_row_goes_on() {
    let (case, service) = (Case::new().many_rows(3), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    let whole = results(&case);
    let last = whole.lines().last().expect("a line").to_owned();
    for torn in [last[..last.len() / 2].to_owned(), format!("{}\0\0\0\0\n", &last[..20]), "5,Leads\n".to_owned()] {
        case.write("m.results.csv", format!("{whole}{torn}"));
        let before = service.requests();
        service.run(&case, &[]).exits(0);
        assert_eq!(service.requests(), before, "{torn:?}");
        assert_eq!(results(&case), whole, "{torn:?}");
    }
}

#[test]
fn a_torn_line_alone_is_a_row_that_was_never_sent() {
    let (case, service) = (Case::new().many_rows(3), RunningSandbox::with_faults(&[]));
    service.run(&case, &["--limit", "2"]).exits(0);
    let whole = results(&case);
    let torn = whole.trim_end();
    case.write("m.results.csv", &torn[..torn.len() - 3]);
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 3);
    assert!(service.copies().values().all(|copies| *copies == 1));
}

#[test]
fn an_edited_line_is_accepted_for_its_key_and_status_when_the_user_says_so() {
    let (case, service) = (Case::new().many_rows(3), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    let edited = results(&case).replacen(",Leads,", ",LEADS,", 1);
    case.write("m.results.csv", &edited);
    service.run(&case, &[]).exits(6).says("line 2");
    assert_eq!(results(&case), edited, "what is refused is left alone");
    service.run(&case, &["--accept-edited-results"]).exits(0);
    assert_eq!(service.created().len(), 3);
    service.run(&case, &[]).exits(0);
}

#[test]
fn results_of_another_manifest_are_refused_and_left_alone() {
    let (case, service) = (Case::new().many_rows(2), RunningSandbox::with_faults(&[]));
    service.run(&case, &[]).exits(0);
    let before = results(&case);
    case.write("m.csv", "module,record,file\nDeals,738964000000999999,f/0.txt\n");
    service.run(&case, &[]).exits(6).says("m.results.csv");
    assert_eq!(results(&case), before);
    assert_eq!(service.created().len(), 2);
}

#[cfg(unix)]
#[test]
fn a_device_or_a_folder_is_no_place_for_results() {
    let (case, service) = (Case::new().many_rows(1), RunningSandbox::with_faults(&[]));
    service.run(&case, &["--results", "/dev/null"]).exits(6).says("/dev/null");
    fs::create_dir(case.path("folder")).expect("a folder");
    service.run(&case, &["--results", "folder"]).exits(6).says("folder");
    assert_eq!(service.requests(), 0);
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_written_is_found_before_anything_is_sent() {
    use std::os::unix::fs::PermissionsExt;
    let (case, service) = (Case::new().many_rows(1), RunningSandbox::with_faults(&[]));
    let folder = case.path("closed");
    fs::create_dir(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).expect("permissions can be taken");
    // Whoever may write everywhere, as root does, cannot be refused.
    if fs::write(folder.join("probe"), "").is_err() {
        service.run(&case, &["--results", "closed/r.csv"]).exits(6).says("closed");
        assert_eq!(service.requests(), 0);
    }
}

/// Two runs begin at the same moment; the service answers nobody before one of them has ended. Says how both ended.
fn two_at_once(case: &Case) -> [Option<i32>; 2] {
    let (raw, hold) = held_back(case);
    let mut hold = Some(hold);
    let start = || {
        raw.command(case, &["--progress", "off"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a run")
    };
    let mut runs = [start(), start()];
    let ended = |run: &mut Child| run.try_wait().expect("it can be asked").is_some();
    wait_until(|| runs.iter_mut().any(ended));
    hold.take();
    let codes = runs.map(|mut run| run.wait().expect("it ends").code());
    assert_eq!(raw.arrived().len(), 1, "{codes:?}");
    codes
}

#[test]
fn of_two_runs_at_once_exactly_one_works_in_two_hundred_tries() {
    let work = || {
        for _ in 0..50 {
            let case = Case::new().many_rows(1);
            let mut codes = two_at_once(&case);
            codes.sort_unstable();
            assert_eq!(codes, [Some(0), Some(6)]);
            assert_eq!(case.column("m.results.csv", "status"), ["uploaded"]);
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
}

#[cfg(unix)]
#[test]
fn a_lost_terminal_ends_the_run_as_a_termination_does() {
    let case = Case::new().many_rows(4);
    let (raw, hold) = held_back(&case);
    let child = raw.command(&case, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run");
    wait_until(|| raw.arrived().len() == 1);
    crate::resume::send(libc::SIGHUP, child.id());
    hold.send(()).expect("the service waits");
    // The signal may come to its own thread after the answer: then further rows go, each of which is let through.
    drop(hold);
    case.finish(child.wait_with_output()).exits(143);
    assert_eq!(case.results("m.results.csv").len(), 4);
    raw.run(&case, &[]).exits(0);
    assert_eq!(raw.arrived().len(), 4);
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_at_once_and_leaves_the_log_to_the_next_run() {
    use std::io::{BufRead, BufReader};
    let case = Case::new().many_rows(4);
    let (raw, hold) = held_back(&case);
    let mut command = raw.command(&case, &["--progress", "json"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a run");
    let mut said = BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    wait_until(|| raw.arrived().len() == 1);
    crate::resume::send(libc::SIGINT, child.id());
    assert!(said.any(|line| line.contains("\"stopping\"")), "the first signal is answered at once");
    crate::resume::send(libc::SIGINT, child.id());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(case.column("m.results.csv", "status"), ["sending"], "the log stays as it is");
    drop(hold);
    raw.run(&case, &[]).exits(0);
    assert_eq!(case.column("m.results.csv", "status"), ["uploaded"; 4]);
    assert_eq!(raw.arrived().len(), 4, "the row that was cut off is found by listing, not sent again");
}

#[test]
fn a_row_taken_out_of_the_manifest_while_in_doubt_is_settled_and_told_of() {
    let case = Case::new().many_rows(3);
    let raw = killed_with_the_second_row_in_doubt(&case);
    let manifest = fs::read_to_string(case.path("m.csv")).expect("the manifest");
    let without: Vec<&str> = manifest.lines().enumerate().filter(|(at, _)| *at != 2).map(|(_, line)| line).collect();
    case.write("m.csv", without.join("\n") + "\n");
    raw.run(&case, &[]).exits(0);
    let rows = case.results("m.results.csv");
    let ends: Vec<_> = rows.iter().map(|row| ["line", "status", "code"].map(|column| row[column].as_str())).collect();
    let settled = ["", "uploaded", "settled-by-listing"];
    assert_eq!(ends, [["2", "uploaded", ""], ["3", "uploaded", ""], settled]);
    assert_eq!(raw.arrived().len(), 3);
}

#[test]
fn what_is_told_of_a_settled_row_is_what_was_sent_whatever_the_manifest_and_the_file_are_now() {
    for (rows, note) in [(&[0, 1, 2][..], "from the new list"), (&[0, 2], "from the old list")] {
        let case = Case::new().many_rows(3);
        let write = |columns: &str, rows: &[u64], cells: &str| {
            let row = |row: &u64| format!("Leads,{},f/{row}.txt,{cells}\n", 738_964_000_000_000_000 + row);
            case.write("m.csv", format!("module,record,file,{columns}\n") + &rows.iter().map(row).collect::<String>());
        };
        write("note", &[0, 1, 2], "from the old list");
        let raw = killed_with_the_second_row_in_doubt(&case);
        let sent = raw.arrived()[1].bytes.len().to_string();
        case.write("f/1.txt", "longer than it was when it was sent");
        write("x_a,note", rows, ",from the new list");
        raw.run(&case, &[]).exits(0);
        let rows = case.results("m.results.csv");
        let settled = rows.iter().find(|row| row["code"] == "settled-by-listing").expect("a settled row");
        assert_eq!((&*settled["bytes"], &*settled["note"], &*settled["x_a"]), (&*sent, note, ""));
        assert_eq!(raw.arrived().len(), 3);
    }
}

#[cfg(unix)]
#[test]
fn a_machine_short_of_file_handles_sends_less_at_once() {
    let case = Case::new().many_rows(30);
    let settings = attache::internals::sandbox::SandboxOptions {
        latency: std::time::Duration::from_millis(10),
        ..attache::internals::sandbox::SandboxOptions::default()
    };
    let service = RunningSandbox::start(settings);
    let command = service.command(&case, &["--concurrency", "16", "--retries", "20"]);
    // Standard streams, the log, the lock and the signals need some: little is left for connections and files.
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -n 20 && exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(case.folder());
    case.finish(limited.output()).exits(0);
    assert_eq!(service.created().len(), 30);
    assert!(service.copies().values().all(|copies| *copies == 1));
}

#[test]
fn readers_that_go_away_do_not_stop_uploads() {
    for progress in ["plain", "json"] {
        let case = Case::new().many_rows(6);
        let (raw, hold) = held_back(&case);
        let mut command = raw.command(&case, &["-v", "--progress", progress, "--output", "json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run");
        wait_until(|| raw.arrived().len() == 1);
        drop((child.stdout.take(), child.stderr.take()));
        drop(hold);
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{progress}");
        assert_eq!(case.column("m.results.csv", "status"), ["uploaded"; 6]);
        assert_eq!(raw.arrived().len(), 6);
    }
}

#[cfg(unix)]
#[test]
fn a_results_file_that_may_not_grow_stops_the_run_and_the_next_one_goes_on() {
    let (case, service) = (Case::new().many_rows(30), RunningSandbox::with_faults(&[]));
    let run = service.command(&case, &[]);
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -f 4; exec \"$@\"", "sh"]).arg(run.get_program()).args(run.get_args());
    limited.current_dir(case.folder()).stdin(Stdio::null());
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    case.finish(limited.output()).exits(6).says("cannot write m.results.csv");
    service.run(&case, &[]).exits(0);
    assert_eq!(service.created().len(), 30);
    assert!(service.copies().values().all(|copies| *copies == 1));
}

#[cfg(target_os = "linux")]
#[test]
fn a_plan_that_nobody_gets_to_see_is_no_success() {
    let (case, service) = (Case::new().many_rows(1), RunningSandbox::with_faults(&[]));
    for more in [&["--dry-run"] as &[&str], &["--dry-run", "--output", "json"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("it is always there");
        case.finish(service.command(&case, more).stdout(full).output()).exits(2).says("standard output");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_that_was_ignored_when_the_program_began_stays_ignored() {
    for (name, signal) in [("HUP", libc::SIGHUP), ("INT", libc::SIGINT), ("TERM", libc::SIGTERM)] {
        let case = Case::new().many_rows(3);
        let (raw, hold) = held_back(&case);
        let run = raw.command(&case, &[]);
        // As nohup does it, and a script that puts a job into its background.
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("trap '' {name}; exec \"$@\""), "sh"]).arg(run.get_program()).args(run.get_args());
        shell.current_dir(case.folder()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        for (name, value) in run.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let child = shell.spawn().expect("a run");
        wait_until(|| raw.arrived().len() == 1);
        crate::resume::send(signal, child.id());
        drop(hold);
        case.finish(child.wait_with_output()).exits(0);
        assert_eq!(raw.arrived().len(), 3);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_core_dump_can_hold_the_token() {
    let case = Case::new().many_rows(1);
    let (raw, hold) = held_back(&case);
    let child = raw.command(&case, &[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a run");
    wait_until(|| raw.arrived().len() == 1);
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("the limits");
    drop(hold);
    case.finish(child.wait_with_output()).exits(0);
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}
