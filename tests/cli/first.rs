//! The README's first command, and every file in `examples/`.

use std::path::Path;

use crate::case::Case;

/// The example's folder, copied: a run writes beside the manifest.
fn example(name: &str) -> Case {
    example_at(name, "")
}

/// The same, in a folder of the case.
pub fn example_at(name: &str, folder: &str) -> Case {
    let case = Case::new();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name), &case.path(folder));
    case
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the example's folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

#[test]
fn the_first_example_runs_in_yaml_and_csv_and_can_be_run_twice() {
    for manifest in ["manifest.yaml", "manifest.csv"] {
        let case = example("first");
        for _ in 0..2 {
            case.run(&["run", manifest, "--sandbox"]).exits(0);
            let statuses = case.column("manifest.sandbox-results.csv", "status");
            assert!(statuses.len() > 8, "{statuses:?}");
            assert!(statuses.iter().all(|status| status == "uploaded"), "{statuses:?}");
        }
    }
}

#[test]
fn the_first_example_says_the_same_in_yaml_and_csv() {
    let case = example("first");
    let rows = |manifest: &str| {
        case.run(&["run", manifest, "--sandbox"]).exits(0);
        let column = |name: &str| case.column("manifest.sandbox-results.csv", name);
        [column("module"), column("record"), column("file"), column("url"), column("name"), column("key")]
    };
    assert_eq!(rows("manifest.yaml"), rows("manifest.csv"));
}
