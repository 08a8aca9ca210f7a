//! The page about a plan: one file, no network, no script; everything in it is readable on paper.

use std::io;

use super::wording;
use super::{LeftOutBecause, PlanReport};
use crate::plan::saved::SavedRow;
use crate::report::html::{begin, end, tile};
use crate::report::markup::HtmlWriter;
use crate::report::{charts, wording as shared};
use crate::units;

/// A table with more rows than this is laid out only when it comes into view.
const MANY_ROWS: usize = 100;

/// Writes the page.
pub(super) fn write(report: &PlanReport, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = HtmlWriter::new(out);
    begin(&mut page, &wording::headline(report));
    head(&mut page, report);
    approval(&mut page, report);
    overview(&mut page, report);
    modules(&mut page, report);
    not_sent(&mut page, report);
    cost(&mut page, report);
    largest(&mut page, report);
    names(&mut page, report);
    notes(&mut page, report);
    facts(page.raw("<section><h2>What is pinned, and where it comes from</h2>"), &wording::origin(report));
    page.raw("</section>\n");
    listed(&mut page, report);
    left_out(&mut page, report);
    page.raw("<footer>Made by attache ").text(env!("CARGO_PKG_VERSION")).raw(" on ");
    page.text(&shared::time(report.origin.made_at)).raw(" from ").text(&report.origin.plan);
    page.raw(". All times are UTC; sizes are decimal (1 MB = 1,000,000 bytes).</footer>\n");
    end(&mut page)
}

fn head(page: &mut HtmlWriter<'_>, report: &PlanReport) {
    page.raw("<header class=\"head\"><p class=\"eyebrow\"><bdi>").text(wording::title(report)).raw("</bdi></p><h1>");
    page.text(&wording::headline(report)).raw("</h1>");
    if let Some(client) = &report.origin.client {
        page.raw("<p class=\"client\">For <bdi>").text(client).raw("</bdi></p>");
    }
    page.raw("<p class=\"lead\">").text(&wording::subline(report)).raw("</p></header>\n");
}

fn approval(page: &mut HtmlWriter<'_>, report: &PlanReport) {
    page.raw("<section class=\"sign-off\"><h2>Approval</h2><p>").text(&wording::statement(report)).raw("</p>");
    page.raw("<div class=\"sign\"><div>Prepared by: name, date, signature</div>");
    page.raw("<div>Approved by: name, date, signature</div></div></section>\n");
}

fn overview(page: &mut HtmlWriter<'_>, report: &PlanReport) {
    let (all, summary) = (&report.all, &report.head.summary);
    page.raw("<section><h2>All rows</h2>");
    let parts = wording::parts(report);
    charts::parts(page, &parts.iter().map(|(class, _, count, _)| (*class, *count)).collect::<Vec<_>>());
    page.raw("<ul class=\"legend\">");
    for (class, name, count, _) in &parts {
        page.raw("<li><span class=\"dot ").raw(class).raw("\"></span> ").raw(name).raw(" <b>");
        page.text(&units::count(*count)).raw("</b></li>");
    }
    page.raw("</ul><dl class=\"tiles\">");
    let rows = units::counted(summary.rows.total, "row");
    tile(page, "To attach", &units::count(all.attachments()), &format!("of {rows} of the manifest"));
    tile(page, "Records", &units::count(all.records), "that get at least one");
    tile(page, "Files", &units::count(all.files), &format!("and {}", units::counted(all.links, "link")));
    let largest = report.largest.first().and_then(|row| row.bytes).unwrap_or(0);
    tile(page, "To send", &units::size(all.bytes), &format!("largest {}", units::size(largest)));
    page.raw("</dl></section>\n");
}

fn modules(page: &mut HtmlWriter<'_>, report: &PlanReport) {
    page.raw("<section><h2>What goes where, by module</h2><div class=\"wide\"><table><thead><tr>");
    page.raw("<th scope=\"col\">Module</th>");
    for name in wording::MODULE_COLUMNS.into_iter().chain(["Size"]) {
        page.raw("<th scope=\"col\" class=\"n\">").raw(name).raw("</th>");
    }
    page.raw("</tr></thead><tbody>");
    for (module, counts) in &report.modules {
        page.raw("<tr><th scope=\"row\" class=\"any\"><bdi>").text(module).raw("</bdi></th>");
        module_cells(page, wording::module_counts(counts), counts.bytes);
    }
    page.raw("</tbody>");
    if report.modules.len() > 1 {
        page.raw("<tfoot><tr><th scope=\"row\">All</th>");
        let sound = report.modules.iter().map(|(_, counts)| counts.rows).sum();
        let [_, rest @ ..] = wording::module_counts(&report.all);
        let [to_send, records, files, links] = rest;
        module_cells(page, [sound, to_send, records, files, links], report.all.bytes);
        page.raw("</tfoot>");
    }
    page.raw("</table></div>");
    if report.sizes.iter().any(|class| class.files > 0) {
        page.raw("<figure class=\"narrow\"><figcaption><b>Sizes of the files</b></figcaption>");
        charts::classes(page, "Files to send by size", &shared::size_classes(&report.sizes));
        page.raw("</figure>");
    }
    page.raw("</section>\n");
}

fn module_cells(page: &mut HtmlWriter<'_>, counts: [u64; 5], bytes: u64) {
    for count in counts {
        page.raw(if count == 0 { "<td class=\"n zero\">" } else { "<td class=\"n\">" });
        page.text(&units::count(count)).raw("</td>");
    }
    page.raw("<td class=\"n\">").text(&units::size(bytes)).raw("</td></tr>");
}

fn not_sent(page: &mut HtmlWriter<'_>, report: &PlanReport) {
    page.raw("<section><h2>What is not sent</h2>");
    let parts: Vec<_> = wording::parts(report).into_iter().skip(1).collect();
    if parts.is_empty() {
        page.raw("<p class=\"lead\">Nothing is left out: every row of the manifest is sent.</p></section>\n");
        return;
    }
    page.raw("<div class=\"wide\"><table><thead><tr><th scope=\"col\">Rows that are</th><th scope=\"col\">Why</th>");
    page.raw("<th scope=\"col\" class=\"n\">Rows</th></tr></thead><tbody>");
    for (class, name, count, why) in parts {
        page.raw("<tr><td class=\"code\"><span class=\"dot ").raw(class).raw("\"></span> ").raw(name);
        page.raw("</td><td class=\"any\">").raw(why).raw("</td><td class=\"n\">");
        page.text(&units::count(count)).raw("</td></tr>");
    }
    for (number, group) in report.left_out.iter().enumerate() {
        page.raw("<tr><td class=\"code\"></td><td class=\"any\"><a href=\"#left-out-");
        page.text(&(number + 1).to_string()).raw("\"><code>").text(&group.code).raw("</code></a><span class=\"said\">");
        page.text(group.meaning.unwrap_or_default()).raw("</span></td><td class=\"n\">");
        page.text(&units::count(group.count)).raw("</td></tr>");
    }
    page.raw("</tbody></table></div></section>\n");
}

fn cost(page: &mut HtmlWriter<'_>, report: &PlanReport) {
    facts(page.raw("<section><h2>Cost and time</h2>"), &wording::cost(report));
    page.raw("</section>\n");
}

fn facts(page: &mut HtmlWriter<'_>, facts: &[(&'static str, String)]) {
    page.raw("<dl class=\"facts\">");
    for (name, value) in facts {
        page.raw("<dt>").raw(name).raw("</dt><dd><bdi>").text(value).raw("</bdi></dd>");
    }
    page.raw("</dl>");
}

fn largest(page: &mut HtmlWriter<'_>, report: &PlanReport) {
    if report.largest.is_empty() {
        return;
    }
    page.raw("<section><h2>The largest files</h2><article class=\"cause\">");
    table(page, report, &report.largest);
    page.raw("</article></section>\n");
}

fn names(page: &mut HtmlWriter<'_>, report: &PlanReport) {
    let summary = &report.head.summary;
    if summary.names_changed == 0 {
        return;
    }
    page.raw("<section><h2>Names that change</h2><p class=\"lead\">");
    page.text(&units::counted(summary.names_changed, "file"));
    page.raw(
        " cannot be called in the CRM what they are called on the disk.</p><div class=\"wide\"><table><thead><tr>",
    );
    page.raw(
        "<th scope=\"col\" class=\"n\">Line</th><th scope=\"col\">File</th><th scope=\"col\">Name in the CRM</th>",
    );
    page.raw("</tr></thead><tbody>");
    for change in &summary.first_names_changed {
        page.raw("<tr><td class=\"n\">").text(&change.line.to_string()).raw("</td><td class=\"any\"><bdi>");
        page.text(&change.own).raw("</bdi></td><td class=\"any\"><bdi>").text(&change.sent).raw("</bdi></td></tr>");
    }
    page.raw("</tbody></table></div>");
    let more = summary.names_changed.saturating_sub(summary.first_names_changed.len() as u64);
    if more > 0 {
        page.raw("<p class=\"note\">And ").text(&units::counted(more, "more file")).raw(".</p>");
    }
    page.raw("</section>\n");
}

fn notes(page: &mut HtmlWriter<'_>, report: &PlanReport) {
    let notes = wording::notes(report);
    if notes.is_empty() {
        return;
    }
    page.raw("<section><h2>To know beforehand</h2><ul class=\"notes\">");
    for note in notes {
        page.raw("<li><bdi>").text(&note).raw("</bdi></li>");
    }
    page.raw("</ul></section>\n");
}

fn listed(page: &mut HtmlWriter<'_>, report: &PlanReport) {
    if report.listed.is_empty() {
        return;
    }
    page.raw("<section><h2>Annex: rows that are sent</h2><p class=\"lead\">").text(&wording::listed(report));
    page.raw("</p><article class=\"cause\">");
    table(page, report, &report.listed);
    page.raw("</article></section>\n");
}

fn left_out(page: &mut HtmlWriter<'_>, report: &PlanReport) {
    if report.left_out.is_empty() {
        return;
    }
    page.raw("<section><h2>Annex: rows that are left out</h2>");
    for (number, group) in report.left_out.iter().enumerate() {
        left_out_because(page, report, number, group);
    }
    page.raw("</section>\n");
}

fn left_out_because(page: &mut HtmlWriter<'_>, report: &PlanReport, number: usize, group: &LeftOutBecause) {
    page.raw("<article class=\"cause\" id=\"left-out-").text(&(number + 1).to_string()).raw("\"><h3><code>");
    page.text(&group.code).raw("</code><span class=\"n\">").text(&units::counted(group.count, "row"));
    page.raw("</span></h3><p>").text(group.meaning.unwrap_or_default()).raw("</p>");
    table(page, report, &group.rows);
    let more = group.count.saturating_sub(group.rows.len() as u64);
    if more > 0 {
        page.raw("<p class=\"note\">And ").text(&units::counted(more, "more row"));
        page.raw("; the workbook of this plan lists them all.</p>");
    }
    page.raw("</article>");
}

fn table(page: &mut HtmlWriter<'_>, report: &PlanReport, rows: &[SavedRow]) {
    page.raw("<div class=\"wide\"><table class=\"sized").raw(if rows.len() > MANY_ROWS { " many\">" } else { "\">" });
    page.raw("<thead><tr><th scope=\"col\" class=\"n\">Line</th><th scope=\"col\">Module</th>");
    page.raw("<th scope=\"col\">Record</th><th scope=\"col\">File or link</th><th scope=\"col\" class=\"n\">Size</th>");
    page.raw("</tr></thead><tbody>");
    for row in rows {
        page.raw("<tr><td class=\"n\">").text(&row.line.to_string()).raw("</td><td class=\"any\"><bdi>");
        page.text(&row.module).raw("</bdi></td><td class=\"id\">");
        match wording::page_of(report, row) {
            Some(address) => {
                page.raw("<a rel=\"noreferrer\" href=\"").text(&address).raw("\">").text(&row.record).raw("</a>")
            }
            None => page.raw("<bdi>").text(&row.record).raw("</bdi>"),
        };
        // Never a link to click on: where it leads is the manifest's word alone.
        page.raw("</td><td class=\"any\"><bdi>").text(wording::source(row)).raw("</bdi>");
        for said in wording::details(row) {
            page.raw("<span class=\"said\"><bdi>").text(&said).raw("</bdi></span>");
        }
        let size = row.bytes.map(units::size).unwrap_or_default();
        page.raw("</td><td class=\"n\">").text(&size).raw("</td></tr>");
    }
    page.raw("</tbody></table></div>");
}
