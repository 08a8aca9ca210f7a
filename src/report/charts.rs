//! The drawings of the page, as SVG inside the HTML: colours and type come from its style sheet, so that they follow
//! light, dark and print.

use jiff::Timestamp;

use super::markup::HtmlWriter;
use super::timeline::{Bin, Timeline};
use crate::units;

/// Size of a drawing in its own units; the page scales it to its width.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 36.0;
/// Between two stretches of work.
const BREAK: f64 = 18.0;
/// A time of day needs this much room.
const LABEL: f64 = 74.0;

/// Bars: uploads per minute, bin by bin.
pub(super) fn uploads_per_minute(page: &mut HtmlWriter<'_>, timeline: &Timeline) {
    let per_minute = 60.0 / timeline.bin_seconds as f64;
    let rate = |bin: &Bin| f64::from(bin.uploads) * per_minute;
    let scale = Scale::up_to(f64::from(timeline.busiest()) * per_minute);
    open(page, "Uploads per minute over time");
    scale.draw(page, "");
    let axis = TimeAxis::of(timeline);
    axis.draw(page, timeline);
    page.raw("<g class=\"bars\">");
    for (x, bin) in axis.bins(timeline).filter(|(_, bin)| bin.uploads > 0) {
        let y = scale.y(rate(bin));
        page.raw("<rect x=\"").number(x).raw("\" y=\"").number(y);
        page.raw("\" width=\"").number((axis.step * 0.84).max(0.5)).raw("\" height=\"").number(scale.y(0.0) - y);
        page.raw("\"/>");
    }
    page.raw("</g></svg>");
}

/// Two lines: within which time half of the answers came, and nineteen in twenty.
pub(super) fn answer_times(page: &mut HtmlWriter<'_>, timeline: &Timeline) {
    let slowest = timeline.bins().map(|bin| f64::from(bin.p95_seconds)).fold(0.0, f64::max);
    let scale = Scale::up_to(slowest);
    open(page, "Time from the first byte sent to the answer");
    scale.draw(page, " s");
    let axis = TimeAxis::of(timeline);
    axis.draw(page, timeline);
    line(page, "line p95", &axis, timeline, &scale, |bin| bin.p95_seconds);
    line(page, "line", &axis, timeline, &scale, |bin| bin.median_seconds);
    page.raw("</svg>");
}

/// Bars beside labels: how many of something there are in each of a few classes.
pub(super) fn classes(page: &mut HtmlWriter<'_>, title: &'static str, classes: &[(String, u64)]) {
    const ROW: f64 = 26.0;
    const LABELS: f64 = 128.0;
    const COUNTS: f64 = 90.0;
    let most = classes.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    page.raw("<svg class=\"chart\" role=\"img\" viewBox=\"0 0 480 ").number(ROW * classes.len() as f64 + 4.0);
    page.raw("\"><title>").raw(title).raw("</title>");
    for (row, (label, count)) in classes.iter().enumerate() {
        let y = row as f64 * ROW;
        let length = (480.0 - LABELS - COUNTS) * *count as f64 / most as f64;
        page.raw("<text class=\"end\" x=\"").number(LABELS - 10.0).raw("\" y=\"").number(y + 17.0).raw("\">");
        page.text(label).raw("</text><g class=\"bars\"><rect x=\"").number(LABELS).raw("\" y=\"").number(y + 4.0);
        // One file among a million is still to be seen.
        page.raw("\" width=\"")
            .number(if *count == 0 { 0.0 } else { length.max(1.5) })
            .raw("\" height=\"18\" rx=\"2\"/></g>");
        page.raw("<text class=\"value\" x=\"").number(LABELS + length + 8.0).raw("\" y=\"").number(y + 17.0).raw("\">");
        page.text(&units::count(*count)).raw("</text>");
    }
    page.raw("</svg>");
}

/// One bar cut in proportion: how many rows ended in which way. Each part names the class that colours it.
pub(super) fn parts(page: &mut HtmlWriter<'_>, parts: &[(&'static str, u64)]) {
    let all = parts.iter().map(|(_, count)| *count).sum::<u64>().max(1) as f64;
    page.raw("<svg class=\"parts\" viewBox=\"0 0 960 16\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
    let mut x = 0.0;
    for (class, count) in parts.iter().filter(|(_, count)| *count > 0) {
        let width = (960.0 * *count as f64 / all).max(3.0);
        page.raw("<rect class=\"").raw(class).raw("\" x=\"").number(x).raw("\" y=\"0\" height=\"16\" width=\"");
        page.number(width - 1.5).raw("\"/>");
        x += width;
    }
    page.raw("</svg>");
}

fn open(page: &mut HtmlWriter<'_>, title: &'static str) {
    page.raw("<svg class=\"chart\" role=\"img\" viewBox=\"0 0 ").number(WIDTH).raw(" ").number(HEIGHT);
    page.raw("\"><title>").raw(title).raw("</title>");
}

/// A line through the bins, broken where there is no upload.
fn line(
    page: &mut HtmlWriter<'_>,
    class: &'static str,
    axis: &TimeAxis,
    timeline: &Timeline,
    scale: &Scale,
    value: impl Fn(&Bin) -> f32,
) {
    page.raw("<path class=\"").raw(class).raw("\" d=\"");
    let mut last = None;
    for (x, bin) in axis.bins(timeline) {
        if bin.uploads == 0 {
            continue;
        }
        let (x, y) = (x + axis.step / 2.0, scale.y(f64::from(value(bin))));
        let follows = last.is_some_and(|last: f64| x - last < axis.step * 1.5);
        page.raw(if follows { "L" } else { "M" }).number(x).raw(" ").number(y);
        // A lone point is a line of no length; round caps make a dot of it.
        page.raw("h0");
        last = Some(x);
    }
    page.raw("\"/>");
}

/// The upright axis: from 0 to a round number.
struct Scale {
    step: f64,
    top: f64,
}

impl Scale {
    fn up_to(largest: f64) -> Scale {
        let largest = if largest > 0.0 { largest } else { 1.0 };
        let rough = largest / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 2.5, 5.0, 10.0].map(|round| round * power).into_iter().find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(10.0 * power);
        Scale { step, top: (largest / step - 1e-6).ceil().max(1.0) * step }
    }

    fn y(&self, value: f64) -> f64 {
        TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value / self.top)
    }

    fn draw(&self, page: &mut HtmlWriter<'_>, unit: &'static str) {
        let decimals =
            if self.step >= 1.0 && self.step.fract() == 0.0 { 0 } else { 1 - self.step.log10().floor() as i32 };
        let decimals = usize::try_from(decimals.clamp(0, 3)).unwrap_or(0);
        page.raw("<g class=\"grid\">");
        for step in 0..=(self.top / self.step).round() as u32 {
            let value = f64::from(step) * self.step;
            let y = self.y(value);
            page.raw("<path d=\"M").number(LEFT).raw(" ").number(y).raw("H").number(WIDTH - RIGHT).raw("\"/>");
            page.raw("<text class=\"end\" x=\"").number(LEFT - 8.0).raw("\" y=\"").number(y + 4.0).raw("\">");
            match decimals {
                0 => page.text(&units::count(value.round() as u64)),
                _ => page.text(format!("{value:.decimals$}").trim_end_matches('0').trim_end_matches('.')),
            };
            page.raw(unit).raw("</text>");
        }
        page.raw("</g>");
    }
}

/// The level axis: stretches of work side by side, with a mark where the work stood still.
struct TimeAxis {
    /// Width of a bin.
    step: f64,
}

impl TimeAxis {
    fn of(timeline: &Timeline) -> TimeAxis {
        let breaks = timeline.stretches.len().saturating_sub(1) as f64 * BREAK;
        let step = (WIDTH - LEFT - RIGHT - breaks) / timeline.bins().count().max(1) as f64;
        // A run of three seconds is three slim bars, not three walls.
        TimeAxis { step: step.min(28.0) }
    }

    /// Left edge of each stretch.
    fn starts<'t>(&self, timeline: &'t Timeline) -> impl Iterator<Item = (f64, &'t super::timeline::Stretch)> {
        let step = self.step;
        timeline.stretches.iter().scan(LEFT, move |x, stretch| {
            let start = *x;
            *x += stretch.bins.len() as f64 * step + BREAK;
            Some((start, stretch))
        })
    }

    /// Left edge of each bin.
    fn bins<'t>(&self, timeline: &'t Timeline) -> impl Iterator<Item = (f64, &'t Bin)> {
        let step = self.step;
        self.starts(timeline).flat_map(move |(x, stretch)| {
            stretch.bins.iter().enumerate().map(move |(at, bin)| (x + at as f64 * step, bin))
        })
    }

    fn draw(&self, page: &mut HtmlWriter<'_>, timeline: &Timeline) {
        let (mut free_from, mut day) = (LEFT - 20.0, String::new());
        page.raw("<g class=\"time\">");
        for (number, (start, stretch)) in self.starts(timeline).enumerate() {
            if number > 0 {
                // Whoever looks at a stretch wants to know its day without searching to the left.
                day.clear();
                let x = start - BREAK / 2.0;
                page.raw("<path class=\"pause\" d=\"M")
                    .number(x)
                    .raw(" ")
                    .number(TOP)
                    .raw("V")
                    .number(HEIGHT - BOTTOM + 4.0);
                page.raw("\"/>");
            }
            for (x, at) in self.ticks(start, stretch, timeline.bin_seconds) {
                if x < free_from {
                    continue;
                }
                let Some((time, date)) = clock(at, timeline.bin_seconds) else { continue };
                self.tick(page, x, &time, (date != day).then_some(&date));
                (free_from, day) = (x + LABEL, date);
            }
        }
        page.raw("</g>");
    }

    /// The beginning of the stretch, then round times far enough apart to be labelled.
    fn ticks(
        &self,
        start: f64,
        stretch: &super::timeline::Stretch,
        bin_seconds: i64,
    ) -> impl Iterator<Item = (f64, i64)> {
        const ROUND: [i64; 14] = [5, 15, 30, 60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];
        let x_of = {
            let (step, from) = (self.step, stretch.from);
            move |at: i64| start + (at - from) as f64 / bin_seconds as f64 * step
        };
        let seconds_between = LABEL / self.step * bin_seconds as f64;
        let days = (seconds_between / 86_400.0).ceil().max(1.0) as i64 * 86_400;
        let between = ROUND.into_iter().find(|round| *round as f64 >= seconds_between).unwrap_or(days);
        let end = stretch.from + stretch.bins.len() as i64 * bin_seconds;
        let first_round = (stretch.from.div_euclid(between) + 1) * between;
        // A round time close behind the beginning would be pushed away by it, and the rest with it.
        let begins = (x_of(first_round) - start >= LABEL || first_round >= end).then_some(stretch.from);
        let rounds = (0..).map(move |number| first_round + number * between).take_while(move |at| *at < end);
        begins.into_iter().chain(rounds).map(move |at| (x_of(at), at))
    }

    fn tick(&self, page: &mut HtmlWriter<'_>, x: f64, time: &str, date: Option<&String>) {
        let foot = HEIGHT - BOTTOM;
        // A label that would run over the right edge stands to the left of its mark.
        let side = if x + LABEL > WIDTH { "<text class=\"end\" x=\"" } else { "<text x=\"" };
        page.raw("<path d=\"M").number(x).raw(" ").number(foot).raw("v4\"/>").raw(side).number(x).raw("\" y=\"");
        page.number(foot + 16.0).raw("\">").text(time).raw("</text>");
        if let Some(date) = date {
            page.raw(side).number(x).raw("\" y=\"").number(foot + 30.0).raw("\">").text(date).raw("</text>");
        }
    }
}

/// Time of day and date, in UTC; seconds only where bins are shorter than a minute.
fn clock(at: i64, bin_seconds: i64) -> Option<(String, String)> {
    let time = Timestamp::from_second(at).ok()?;
    let format = if bin_seconds < 60 { "%H:%M:%S" } else { "%H:%M" };
    Some((time.strftime(format).to_string(), time.strftime("%-d %b").to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::timeline::Answered;

    fn drawn(draw: impl FnOnce(&mut HtmlWriter<'_>)) -> String {
        let mut out = Vec::new();
        let mut page = HtmlWriter::new(&mut out);
        draw(&mut page);
        page.finish().expect("a vector takes everything");
        String::from_utf8(out).expect("a drawing is UTF-8")
    }

    #[test]
    fn the_upright_axis_ends_at_a_round_number_above_the_largest_value() {
        for (largest, top) in [(0.0, 1.0), (0.37, 0.4), (1.0, 1.0), (7.0, 8.0), (97.0, 100.0), (431.0, 600.0)] {
            let scale = Scale::up_to(largest);
            assert!((scale.top - top).abs() < 1e-9, "{largest}: {}", scale.top);
        }
    }

    #[test]
    fn bars_of_two_stretches_stay_inside_the_drawing() {
        let times = (0..600).chain(90_000..90_600);
        let timeline =
            Timeline::of(times.map(|at| Answered { at, seconds: 1.0 }).collect()).expect("there are uploads");
        let axis = TimeAxis::of(&timeline);
        let edges: Vec<f64> = axis.bins(&timeline).map(|(x, _)| x).collect();
        assert!(edges.iter().all(|x| *x >= LEFT && x + axis.step <= WIDTH - RIGHT + 1e-6));
        let svg = drawn(|page| uploads_per_minute(page, &timeline));
        assert_eq!(svg.matches("<rect").count(), edges.len());
        assert_eq!(svg.matches("class=\"pause\"").count(), 1);
        assert!(svg.contains(">1 Jan<") && svg.contains(">2 Jan<"), "{svg}");
    }

    #[test]
    fn a_class_of_one_among_a_million_can_be_seen() {
        let svg = drawn(|page| classes(page, "sizes", &[("small".to_owned(), 1_000_000), ("<large>".to_owned(), 1)]));
        assert!(svg.contains("width=\"1.5\"") && svg.contains("&lt;large&gt;"), "{svg}");
    }
}
