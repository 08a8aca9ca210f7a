//! Tests of the page in a real browser, where one is installed: what it makes of the page is what the client sees.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::html;
use super::sample;

/// The first browser of the Chromium family on the search path.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome", "msedge"];
    let names = names.map(|name| format!("{name}{}", std::env::consts::EXE_SUFFIX));
    std::env::split_paths(&path)
        .flat_map(|folder| names.clone().map(|name| folder.join(name)))
        .find(|file| file.is_file())
}

/// Runs the browser over a page, without a window and without a network; gives what it wrote to standard output.
fn browse(browser: &Path, folder: &Path, page: &Path, options: &[&str]) -> String {
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", "--window-size=1160,2400"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .args(options)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The folder, the page in it and the browser; `None`, said aloud, where there is no browser.
fn opened(rows: u32) -> Option<(tempfile::TempDir, PathBuf, PathBuf)> {
    let Some(browser) = browser() else {
        eprintln!("not tested: no Chromium is installed here");
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    let mut file = std::fs::File::create(&page).expect("a file");
    html::write(&sample::report(rows), &mut file).expect("the page is written");
    Some((folder, page, browser))
}

#[test]
fn a_browser_sees_text_where_a_name_says_markup() {
    let Some((folder, page, browser)) = opened(900) else { return };
    let seen = browse(&browser, folder.path(), &page, &["--dump-dom"]);
    assert!(seen.contains("&lt;img src=x onerror=alert(1)&gt;"), "the hostile name is not on the page");
    for forbidden in ["<img", "<script", "<link", "<iframe", "<object", "http-equiv=\"refresh\""] {
        assert!(!seen.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn the_page_is_drawn_differently_in_light_and_in_dark() {
    let Some((folder, page, browser)) = opened(900) else { return };
    let shot = |name: &str, options: &[&str]| {
        let file = folder.path().join(name);
        let screenshot = format!("--screenshot={}", file.display());
        browse(&browser, folder.path(), &page, &[options, &[&screenshot]].concat());
        std::fs::read(file).expect("a screenshot")
    };
    let light = shot("light.png", &["--blink-settings=preferredColorScheme=1"]);
    let dark = shot("dark.png", &["--blink-settings=preferredColorScheme=0"]);
    // A blank page of this size is a few kilobytes.
    assert!(light.len() > 50_000 && dark.len() > 50_000, "{} {}", light.len(), dark.len());
    assert_ne!(light, dark);
}
