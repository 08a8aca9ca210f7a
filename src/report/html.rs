//! The page for the client's sign-off: one file, no network, no script; everything in it is readable on paper.

use std::io;
use std::time::Duration;

use super::charts;
use super::markup::HtmlWriter;
use super::model::{Module, Report, ReportCause, ReportRow, ReportTotals};
use super::timeline::{AnswerTimes, Timeline};
use super::wording;
use crate::outcome::Status;
use crate::units;

/// A table with more rows than this is laid out only when it comes into view.
const MANY_ROWS: usize = 200;
/// A table with no more rows than this is not broken between pages of paper.
const FEW_ROWS: usize = 20;
/// With fewer bins than this there is no time line to draw.
const FEWEST_BINS: usize = 5;

/// Writes the page.
pub(super) fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = HtmlWriter::new(out);
    begin(&mut page, &wording::headline(report));
    head(&mut page, report);
    sign_off(&mut page, report);
    overview(&mut page, &report.totals);
    attention(&mut page, report);
    modules(&mut page, report);
    over_time(&mut page, report);
    sizes(&mut page, report);
    taken_back(&mut page, report);
    once(&mut page, &report.totals);
    origin(&mut page, report);
    rows(&mut page, report);
    foot(&mut page, report);
    end(&mut page)
}

/// Everything before the first section.
pub(super) fn begin(page: &mut HtmlWriter<'_>, title: &str) {
    page.raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    // Nothing of the page needs the network or a script, so neither is allowed, whatever a name in it may try.
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    page.raw("<meta name=\"referrer\" content=\"no-referrer\"><title>").text(title);
    page.raw("</title><style>\n").raw(include_str!("page.css")).raw("</style></head>\n<body><main>\n");
}

/// What closes a page; the first error of its writing, if there was one.
pub(super) fn end(page: &mut HtmlWriter<'_>) -> io::Result<()> {
    page.raw("</main></body></html>\n").finish()
}

fn head(page: &mut HtmlWriter<'_>, report: &Report) {
    page.raw("<header class=\"head\"><p class=\"eyebrow\"><bdi>").text(wording::title(report)).raw("</bdi></p><h1>");
    page.text(&wording::headline(report)).raw("</h1>");
    if let Some(client) = &report.source.client {
        page.raw("<p class=\"client\">For <bdi>").text(client).raw("</bdi></p>");
    }
    page.raw("<p class=\"lead\">").text(&wording::subline(report)).raw("</p></header>\n");
}

fn overview(page: &mut HtmlWriter<'_>, totals: &ReportTotals) {
    page.raw("<section><h2>All rows</h2>");
    let counts = wording::counts(totals);
    charts::parts(page, &counts.map(|(status, count)| (class(status), count)));
    page.raw("<ul class=\"legend\">");
    for (status, count) in counts {
        // The two that people ask for are shown even if there are none.
        if count > 0 || matches!(status, Status::Uploaded | Status::Failed) {
            page.raw("<li>");
            badge(page, status);
            page.raw(" <b>").text(&units::count(count)).raw("</b></li>");
        }
    }
    page.raw("</ul><dl class=\"tiles\">");
    tile(page, "In place", &units::count(totals.in_place()), &format!("of {}", units::counted(totals.rows, "row")));
    tile(page, "Records", &units::count(totals.records), "with at least one of them");
    tile(page, "Files", &units::count(totals.files), &format!("and {}", units::counted(totals.links, "link")));
    tile(page, "Sent", &units::size(totals.bytes_uploaded), &format!("largest {}", units::size(totals.bytes_largest)));
    page.raw("</dl>");
    if let Some(superseded) = wording::superseded(totals) {
        page.raw("<p class=\"note\">").text(&superseded).raw("</p>");
    }
    page.raw("</section>\n");
}

/// A number with its name and a detail.
pub(super) fn tile(page: &mut HtmlWriter<'_>, name: &'static str, value: &str, detail: &str) {
    page.raw("<div><dt>").raw(name).raw("</dt><dd>").text(value).raw("<small>").text(detail).raw("</small></dd></div>");
}

fn attention(page: &mut HtmlWriter<'_>, report: &Report) {
    page.raw("<section><h2>What is not in place</h2>");
    if report.causes.is_empty() {
        page.raw("<p class=\"lead\">").text(&wording::nothing_amiss(report)).raw("</p></section>\n");
        return;
    }
    page.raw("<div class=\"wide\"><table><thead><tr><th scope=\"col\">Status</th><th scope=\"col\">Cause</th>");
    page.raw("<th scope=\"col\" class=\"n\">Rows</th></tr></thead><tbody>");
    for (number, cause) in report.causes.iter().enumerate() {
        page.raw("<tr><td class=\"code\">");
        badge(page, cause.status);
        page.raw("</td><td class=\"any\"><a href=\"#cause-").text(&(number + 1).to_string()).raw("\">");
        code(page, cause);
        page.raw("</a><span class=\"said\"><bdi>").text(cause.said()).raw("</bdi></span></td><td class=\"n\">");
        page.text(&units::count(cause.count)).raw("</td></tr>");
    }
    page.raw("</tbody></table></div></section>\n");
}

fn badge(page: &mut HtmlWriter<'_>, status: Status) {
    page.raw("<span class=\"dot ").raw(class(status)).raw("\"></span> ").raw(wording::status(status));
}

fn class(status: Status) -> &'static str {
    match status {
        Status::Uploaded => "uploaded",
        Status::AlreadyPresent => "already-present",
        Status::Failed => "failed",
        Status::Invalid => "invalid",
        Status::Unknown => "unknown",
        Status::InDoubt | Status::Sending => "in-doubt",
        Status::NotSent => "not-sent",
        Status::Superseded => "superseded",
        Status::Deleting => "in-doubt",
        Status::Deleted => "not-sent",
    }
}

fn code(page: &mut HtmlWriter<'_>, cause: &ReportCause) {
    match cause.code.as_str() {
        "" => page.text(wording::status(cause.status)),
        code => page.raw("<code>").text(code).raw("</code>"),
    };
}

fn modules(page: &mut HtmlWriter<'_>, report: &Report) {
    page.raw("<section><h2>By module</h2><div class=\"wide\"><table");
    page.raw(if report.modules.len() <= FEW_ROWS { " class=\"short\">" } else { ">" });
    page.raw("<thead><tr><th scope=\"col\">Module</th>");
    for name in wording::MODULE_COLUMNS {
        page.raw("<th scope=\"col\" class=\"n\">").raw(name).raw("</th>");
    }
    page.raw("<th scope=\"col\" class=\"n\">Sent</th></tr></thead><tbody>");
    for Module { module, totals } in &report.modules {
        page.raw("<tr><th scope=\"row\" class=\"any\"><bdi>").text(module).raw("</bdi></th>");
        module_cells(page, totals);
        page.raw("</tr>");
    }
    page.raw("</tbody>");
    if report.modules.len() > 1 {
        page.raw("<tfoot><tr><th scope=\"row\">All</th>");
        module_cells(page, &report.totals);
        page.raw("</tr></tfoot>");
    }
    page.raw("</table></div></section>\n");
}

fn module_cells(page: &mut HtmlWriter<'_>, totals: &ReportTotals) {
    for count in wording::module_counts(totals) {
        page.raw(if count == 0 { "<td class=\"n zero\">" } else { "<td class=\"n\">" });
        page.text(&units::count(count)).raw("</td>");
    }
    page.raw("<td class=\"n\">").text(&units::size(totals.bytes_uploaded)).raw("</td>");
}

fn over_time(page: &mut HtmlWriter<'_>, report: &Report) {
    let Some(timeline) = &report.timeline else { return };
    page.raw("<section><h2>Over time</h2>");
    // Two bars tell nothing that a sentence does not.
    if timeline.bins().count() >= FEWEST_BINS {
        uploads_per_minute(page, timeline);
        page.raw("<figure><figcaption><b>Time to answer</b>");
        answer_times(page, timeline);
        page.raw("<br><span class=\"key\"><i></i>half of the uploads within</span>");
        page.raw("<span class=\"key\"><i class=\"p95\"></i>95 % within</span></figcaption><div class=\"wide\">");
        charts::answer_times(page, timeline);
        page.raw("</div></figure>");
    } else {
        page.raw("<p>");
        answer_times(page, timeline);
        page.raw("</p>");
    }
    page.raw("</section>\n");
}

fn uploads_per_minute(page: &mut HtmlWriter<'_>, timeline: &Timeline) {
    page.raw("<figure><figcaption><b>Uploads per minute</b>Mean over every ");
    match timeline.bin_seconds {
        1 => page.raw("second"),
        seconds @ ..60 => page.text(&format!("{seconds} s")),
        seconds => page.text(&units::duration(Duration::from_secs(seconds.unsigned_abs()))),
    };
    page.raw(", times in UTC");
    if timeline.stretches.len() > 1 {
        page.raw("; a dashed line stands for a pause, which is not drawn to scale");
    }
    page.raw("</figcaption><div class=\"wide\">");
    charts::uploads_per_minute(page, timeline);
    page.raw("</div></figure>");
}

fn answer_times(page: &mut HtmlWriter<'_>, timeline: &Timeline) {
    let AnswerTimes { median, p95, longest } = timeline.answers;
    page.raw("From the first byte sent to the answer, half of all uploads took at most ")
        .text(&wording::answer_time(median));
    page.raw(", 95 % at most ")
        .text(&wording::answer_time(p95))
        .raw(", the slowest ")
        .text(&wording::answer_time(longest));
    page.raw(".");
}

fn sizes(page: &mut HtmlWriter<'_>, report: &Report) {
    if report.sizes.iter().all(|class| class.files == 0) {
        return;
    }
    page.raw("<section><h2>Sizes of the uploaded files</h2><figure class=\"narrow\">");
    charts::classes(page, "Uploaded files by size", &wording::size_classes(&report.sizes));
    page.raw("</figure></section>\n");
}

fn taken_back(page: &mut HtmlWriter<'_>, report: &Report) {
    let Some(taken_back) = &report.taken_back else { return };
    page.raw("<section><h2>What was taken back</h2><p>").text(&taken_back.sentence()).raw("</p><dl class=\"facts\">");
    for (name, value) in taken_back.facts() {
        page.raw("<dt>").raw(name).raw("</dt><dd><bdi>").text(&value).raw("</bdi></dd>");
    }
    page.raw("</dl></section>\n");
}

fn once(page: &mut HtmlWriter<'_>, totals: &ReportTotals) {
    page.raw(
        "<section><h2>Nothing twice</h2><p>Before the first byte of an upload leaves, a line saying so is on the ",
    );
    page.raw("disk. Where the answer was lost, the record’s own list of attachments was asked, and the file was sent ");
    page.raw("again only where the list proved that it had not arrived.</p><dl class=\"facts\">");
    let facts = [
        (
            "Found by listing after a lost answer",
            totals.settled_by_listing,
            "each would be there twice if it had been sent blindly again",
        ),
        ("On the record before anything was sent", totals.already_present, "left alone"),
        ("Still to be settled by the next run", totals.in_doubt, "not sent again before that"),
        ("Not to be told from the record’s list", totals.unknown, "never sent again by itself; a person has to look"),
    ];
    for (name, count, detail) in facts {
        page.raw("<dt>").raw(name).raw("</dt><dd><b>").text(&units::count(count)).raw("</b>");
        if count > 0 {
            page.raw(" – ").raw(detail);
        }
        page.raw("</dd>");
    }
    page.raw("</dl></section>\n");
}

fn origin(page: &mut HtmlWriter<'_>, report: &Report) {
    page.raw("<section><h2>Where this comes from</h2><dl class=\"facts\">");
    for (name, value) in wording::origin(report) {
        page.raw("<dt>").raw(name).raw("</dt><dd><bdi>").text(&value).raw("</bdi></dd>");
    }
    page.raw("</dl>");
    runs(page, report);
    page.raw("</section>\n");
}

fn runs(page: &mut HtmlWriter<'_>, report: &Report) {
    if report.runs.is_empty() {
        page.raw("<p class=\"note\">The record of the single runs was not found beside the results.</p>");
        return;
    }
    page.raw("<div class=\"wide\"><table><caption>The runs that led here</caption><thead><tr>");
    for name in wording::RUN_COLUMNS {
        page.raw("<th scope=\"col\">").raw(name).raw("</th>");
    }
    page.raw("</tr></thead><tbody>");
    for run in &report.runs {
        page.raw("<tr>");
        for cell in wording::run_cells(run) {
            page.raw("<td class=\"any\">").text(&cell).raw("</td>");
        }
        page.raw("</tr>");
    }
    page.raw("</tbody></table></div>");
}

fn rows(page: &mut HtmlWriter<'_>, report: &Report) {
    if report.causes.is_empty() {
        return;
    }
    page.raw("<section><h2>Annex: the rows that are not in place</h2>");
    for (number, cause) in report.causes.iter().enumerate() {
        page.raw("<article class=\"cause\" id=\"cause-").text(&(number + 1).to_string()).raw("\"><h3><span>");
        badge(page, cause.status);
        page.raw("</span> ");
        code(page, cause);
        page.raw("<span class=\"n\">").text(&units::counted(cause.count, "row")).raw("</span></h3>");
        page.raw("<p><bdi>").text(cause.said()).raw("</bdi></p>");
        if let Some(advice) = cause.advice {
            page.raw("<p class=\"note\">What to do: ").text(advice).raw("</p>");
        }
        cause_rows(page, cause);
        page.raw("</article>");
    }
    page.raw("</section>\n");
}

fn cause_rows(page: &mut HtmlWriter<'_>, cause: &ReportCause) {
    page.raw("<div class=\"wide\"><table").raw(if cause.rows.len() > MANY_ROWS { " class=\"many\">" } else { ">" });
    page.raw(
        "<thead><tr><th scope=\"col\" class=\"n\">Line</th><th scope=\"col\">Module</th><th scope=\"col\">Record</th>",
    );
    page.raw("<th scope=\"col\">File or link</th></tr></thead><tbody>");
    for row in &cause.rows {
        cause_row(page, row);
    }
    page.raw("</tbody></table></div>");
    let left = cause.count.saturating_sub(cause.rows.len() as u64);
    if left > 0 {
        page.raw("<p class=\"note\">And ").text(&units::counted(left, "more row"));
        page.raw(" that wait for the next run; the results file lists them all.</p>");
    }
}

fn cause_row(page: &mut HtmlWriter<'_>, row: &ReportRow) {
    page.raw("<tr><td class=\"n\">").text(&wording::line(row)).raw("</td><td class=\"any\"><bdi>").text(&row.module);
    page.raw("</bdi></td><td class=\"id\">");
    record(page, row);
    if let Some(key) = wording::key(row) {
        page.raw("<span class=\"said any\"><bdi>").text(&key).raw("</bdi></span>");
    }
    page.raw("</td><td class=\"any\"><bdi>");
    // Never a link to click on: where it leads is the manifest's word alone.
    page.text(&row.source).raw("</bdi>");
    let carried = row.carried.iter().map(|(name, cell)| format!("{name}: {cell}"));
    for said in wording::sent_as(row).into_iter().chain([row.message.clone()]).chain(carried) {
        if !said.is_empty() {
            page.raw("<span class=\"said\"><bdi>").text(&said).raw("</bdi></span>");
        }
    }
    page.raw("</td></tr>");
}

/// The record, as a link to its page in the CRM where that is known.
fn record(page: &mut HtmlWriter<'_>, row: &ReportRow) {
    match &row.record_page {
        Some(address) => {
            page.raw("<a rel=\"noreferrer\" href=\"").text(address).raw("\">").text(&row.record).raw("</a>")
        }
        None => page.raw("<bdi>").text(&row.record).raw("</bdi>"),
    };
}

fn sign_off(page: &mut HtmlWriter<'_>, report: &Report) {
    page.raw("<section class=\"sign-off\"><h2>Sign-off</h2><p>").text(&wording::statement(report)).raw("</p>");
    page.raw("<div class=\"sign\"><div>Handed over by: name, date, signature</div>");
    page.raw("<div>Accepted by: name, date, signature</div></div></section>\n");
}

fn foot(page: &mut HtmlWriter<'_>, report: &Report) {
    page.raw("<footer>Made by ").text(&report.source.made_by).raw(" on ").text(&wording::time(report.source.made_at));
    page.raw(" from ")
        .text(&report.source.results)
        .raw(". All times are UTC; sizes are decimal (1 MB = 1,000,000 bytes).</footer>\n");
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn page(rows: u32) -> String {
        let mut out = Vec::new();
        write(&sample::report(rows), &mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("the page is UTF-8")
    }

    #[test]
    fn the_page_needs_no_network_and_no_script() {
        let page = page(900);
        for loads in ["src=\"", "<script", "<link", "url(", "@import"] {
            assert!(!page.contains(loads), "{loads}");
        }
        let links: Vec<&str> = page.split("href=\"http").skip(1).collect();
        assert!(!links.is_empty() && links.iter().all(|link| link.starts_with("s://crm.zoho.eu/crm/org10234695/tab/")));
        assert!(page.contains("default-src 'none'"));
    }

    #[test]
    fn a_hostile_name_is_on_the_page_as_text_only() {
        let page = page(40);
        assert!(page.contains("=HYPERLINK(&quot;x&quot;)&lt;img src=x onerror=alert(1)&gt;|‹U+202E›fdp"));
        assert!(!page.contains("<img"));
    }

    #[test]
    fn two_hundred_thousand_rows_make_a_page_that_opens() {
        let page = page(200_000);
        assert!(page.len() < 1_000_000, "{} bytes", page.len());
        assert_eq!(page.matches("INVALID_DATA").count(), 4);
        assert!(page.contains("198,400 of 200,000 rows in place"));
    }

    #[test]
    fn results_without_a_row_make_a_page_too() {
        assert!(page(0).contains("No rows yet"));
    }

    #[test]
    fn every_link_on_the_page_leads_to_a_place_on_it() {
        let page = page(2_000);
        let targets: Vec<&str> = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(targets.len(), 7);
        assert!(targets.iter().all(|target| page.contains(&format!("id=\"{target}\""))));
    }
}
