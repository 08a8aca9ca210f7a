//! What a record's attachment list says about its rows in doubt. A pure decision: when to list, how often, and what
//! follows from a finding is left to the machine.
//!
//! The service has no key that would tie an attachment to a request, so the only evidence is what an attachment looks
//! like: name, size or address, author, and when it was made. Exact matches are given away first, all rows of the
//! record together; what is left over and agrees only in part makes a row uncertain, and an uncertain row is neither
//! adopted nor sent again.

use crate::engine::Descriptor;
use crate::reply::Listed;
use crate::text::same_name;
use crate::upload::ServiceId;

/// A row in doubt.
#[derive(Clone, Debug)]
pub struct Suspect<'a> {
    /// What it looks like.
    pub descriptor: Descriptor<'a>,
    /// The service's time of its first `sending` line, in whole seconds since 1970, rounded down.
    pub sent_at: i64,
    /// The user it was sent as, once known: attachments of other authors are not ours.
    pub author: Option<ServiceId>,
    /// Whether an earlier run could not tell: the service's clocks may be the reason, so its times count for less.
    pub given_up: bool,
    /// What the record had when the row was last proved absent, if it was: an attachment that came since is suspect
    /// whatever time it bears, for then the service's times may be wrong.
    pub had: Option<&'a [ServiceId]>,
}

/// What there is to compare with.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Every attachment of the record.
    pub listed: &'a [Listed],
    /// Attachments that the results already give to a row.
    pub claimed: &'a [ServiceId],
    /// By how many seconds an attachment may seem older than the row's `sending` line and still be the row's, since
    /// two clocks of the service need not agree. `None`: the service's clock is not known, so times prove nothing.
    pub grey_seconds: Option<i64>,
}

/// What the list says about one row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SettleFinding<'a> {
    /// This attachment is the row's, and no other row's.
    Found(&'a Listed),
    /// Nothing there could be the row's.
    Absent,
    /// More than one could be, or the one that could be may as well be another row's.
    Several,
    /// This one agrees in part: perhaps the row's under another name, perhaps somebody else's.
    Uncertain(&'a Listed),
    /// This one could be the row's, and the list does not say what is needed to tell: its address, its name or its size.
    Untold(&'a Listed),
}

/// Compares all rows in doubt of one record with its list. The findings are in the order of the rows.
pub fn compare<'a>(suspects: &[Suspect<'_>], evidence: Evidence<'a>) -> Vec<SettleFinding<'a>> {
    let candidates: Vec<&Listed> =
        evidence.listed.iter().filter(|listed| !evidence.claimed.contains(&listed.id)).collect();
    // Where the clocks are in doubt, a grey one may be as good a match as a fresh one: then it stands in the way of a
    // finding, though it never is one.
    let grey_counts = suspects.iter().any(|suspect| suspect.given_up);
    let age = |suspect: &Suspect<'_>, listed: &Listed| age(suspect, listed, evidence.grey_seconds);
    let in_time = |suspect: &Suspect<'_>, listed: &Listed| match age(suspect, listed) {
        Age::Fresh => true,
        Age::Grey => grey_counts,
        Age::Other => false,
    };
    let matches: Vec<Vec<usize>> =
        suspects.iter().map(|suspect| exact_matches(suspect, &candidates, in_time)).collect();

    let mut wanted = vec![0_u32; candidates.len()];
    for &candidate in matches.iter().flatten() {
        wanted[candidate] += 1;
    }
    let is_fresh = |suspect: &Suspect<'_>, candidate: usize| age(suspect, candidates[candidate]) == Age::Fresh;
    let only_match = |suspect: &Suspect<'_>, found: &[usize]| match *found {
        [single] if wanted[single] == 1 && is_fresh(suspect, single) => Some(single),
        _ => None,
    };
    let given: Vec<usize> =
        suspects.iter().zip(&matches).filter_map(|(suspect, found)| only_match(suspect, found)).collect();

    let finding = |(suspect, found): (&Suspect<'_>, &Vec<usize>)| match only_match(suspect, found) {
        Some(single) => SettleFinding::Found(candidates[single]),
        None if found.iter().any(|candidate| is_fresh(suspect, *candidate)) => SettleFinding::Several,
        None => {
            let left = candidates.iter().enumerate().filter(|(index, _)| !given.contains(index));
            let could_be = |fits: &dyn Fn(&Listed) -> bool| {
                left.clone().find(|(_, listed)| age(suspect, listed) != Age::Other && fits(listed))
            };
            let partial = could_be(&|listed| agreement_of(&suspect.descriptor, listed) != Agreement::None)
                .or_else(|| could_be(&|listed| may_be_rewritten(suspect, listed)));
            match (partial, could_be(&|listed| cannot_be_told(&suspect.descriptor, listed))) {
                (Some((_, listed)), _) => SettleFinding::Uncertain(listed),
                (None, Some((_, listed))) => SettleFinding::Untold(listed),
                (None, None) => SettleFinding::Absent,
            }
        }
    };
    suspects.iter().zip(&matches).map(finding).collect()
}

/// The candidates in time that agree in all that can be compared. A name that is equal byte by byte beats one that is
/// equal only under NFC.
fn exact_matches(
    suspect: &Suspect<'_>,
    candidates: &[&Listed],
    in_time: impl Fn(&Suspect<'_>, &Listed) -> bool,
) -> Vec<usize> {
    let with = |agreement: Agreement| -> Vec<usize> {
        let fits = |listed: &Listed| in_time(suspect, listed) && agreement_of(&suspect.descriptor, listed) == agreement;
        candidates.iter().enumerate().filter(|(_, listed)| fits(listed)).map(|(index, _)| index).collect()
    };
    let exact = with(Agreement::Exact);
    if exact.is_empty() { with(Agreement::ExactUnderNfc) } else { exact }
}

/// Whether this is a new link of our user's that the service may have written otherwise than it was sent. (The name of a
/// file may be changed, too; its size is not, and that agrees in part.)
fn may_be_rewritten(suspect: &Suspect<'_>, listed: &Listed) -> bool {
    let is_ours = suspect.author.is_some() && listed.created_by == suspect.author;
    let is_new = listed.created.is_some_and(|created| created >= suspect.sent_at);
    suspect.descriptor.link.is_some() && listed.url.is_some() && is_ours && is_new
}

/// Whether the entry lacks what tells a row of this kind from others.
fn cannot_be_told(descriptor: &Descriptor<'_>, listed: &Listed) -> bool {
    match (&descriptor.link, &listed.url) {
        (Some(_), None) => !listed.address_told,
        (None, None) => listed.name.is_empty() || listed.size.is_none(),
        (_, Some(_)) => false,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Age {
    /// Made since the row was sent.
    Fresh,
    /// So shortly before that the clocks may be to blame, or at a time that the list does not give.
    Grey,
    /// Made long before, or by somebody else.
    Other,
}

fn age(suspect: &Suspect<'_>, listed: &Listed, grey_seconds: Option<i64>) -> Age {
    if suspect.author.is_some_and(|author| listed.created_by.is_some_and(|by| by != author)) {
        return Age::Other;
    }
    let was_there = suspect.had.is_some_and(|had| had.contains(&listed.id));
    let Some(grey_seconds) = grey_seconds else { return if was_there { Age::Other } else { Age::Grey } };
    match listed.created {
        None => Age::Grey,
        Some(created) if created >= suspect.sent_at => Age::Fresh,
        Some(created) if created >= suspect.sent_at.saturating_sub(grey_seconds) => Age::Grey,
        Some(_) if suspect.had.is_some() && !was_there => Age::Grey,
        Some(_) => Age::Other,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Agreement {
    Exact,
    ExactUnderNfc,
    Part,
    None,
}

fn agreement_of(descriptor: &Descriptor<'_>, listed: &Listed) -> Agreement {
    match (&descriptor.link, &listed.url) {
        // The title of a link may be made up by the service, and its size means nothing: the address decides alone.
        (Some(link), Some(url)) if *link == url.as_str() => Agreement::Exact,
        (Some(_), _) if !descriptor.name.is_empty() && same_name(&descriptor.name, &listed.name) => Agreement::Part,
        (Some(_), _) | (None, Some(_)) => Agreement::None,
        (None, None) => {
            let size = descriptor.size.is_some() && descriptor.size == listed.size;
            match (size, descriptor.name == listed.name.as_str(), same_name(&descriptor.name, &listed.name)) {
                (true, true, _) => Agreement::Exact,
                (true, false, true) => Agreement::ExactUnderNfc,
                (false, false, false) => Agreement::None,
                _ => Agreement::Part,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SENT: i64 = 1_000_000;
    const GREY: i64 = 120;

    fn file(name: &str, size: u64) -> Suspect<'static> {
        Suspect {
            descriptor: Descriptor { name: name.to_owned().into(), size: Some(size), link: None },
            sent_at: SENT,
            author: None,
            given_up: false,
            had: None,
        }
    }

    fn link(url: &str, title: &str) -> Suspect<'static> {
        Suspect {
            descriptor: Descriptor { name: title.to_owned().into(), size: None, link: Some(url.to_owned().into()) },
            sent_at: SENT,
            author: None,
            given_up: false,
            had: None,
        }
    }

    fn listed(id: u64, name: &str, size: u64, created: i64) -> Listed {
        Listed {
            id: ServiceId::new(id),
            name: name.to_owned(),
            size: Some(size),
            url: None,
            created: Some(created),
            created_by: None,
            address_told: true,
        }
    }

    fn listed_link(id: u64, url: &str, title: &str, created: i64) -> Listed {
        Listed { url: Some(url.to_owned()), ..listed(id, title, 0, created) }
    }

    fn found(suspects: &[Suspect<'_>], listed: &[Listed], claimed: &[u64]) -> Vec<String> {
        let claimed: Vec<ServiceId> = claimed.iter().copied().map(ServiceId::new).collect();
        let findings = compare(suspects, Evidence { listed, claimed: &claimed, grey_seconds: Some(GREY) });
        let word = |finding: &SettleFinding<'_>| match finding {
            SettleFinding::Found(listed) => format!("found {}", listed.id),
            SettleFinding::Absent => "absent".to_owned(),
            SettleFinding::Several => "several".to_owned(),
            SettleFinding::Uncertain(listed) => format!("uncertain {}", listed.id),
            SettleFinding::Untold(listed) => format!("untold {}", listed.id),
        };
        findings.iter().map(word).collect()
    }

    #[test]
    fn one_row_against_one_attachment() {
        let nfd = "re\u{301}sume\u{301}.pdf";
        let cases: &[(&str, Suspect<'_>, Listed, &str)] = &[
            ("name and size", file("a", 5), listed(1, "a", 5, SENT), "found 1"),
            ("a second late", file("a", 5), listed(1, "a", 5, SENT + 1), "found 1"),
            ("the other way to write an accent", file(nfd, 5), listed(1, "résumé.pdf", 5, SENT), "found 1"),
            ("another size", file("a", 5), listed(1, "a", 6, SENT), "uncertain 1"),
            ("another name", file("a", 5), listed(1, "a (1)", 5, SENT), "uncertain 1"),
            ("nothing in common", file("a", 5), listed(1, "b", 6, SENT), "absent"),
            ("a moment too old", file("a", 5), listed(1, "a", 5, SENT - 1), "uncertain 1"),
            ("a moment too old, and another size", file("a", 5), listed(1, "a", 6, SENT - 1), "uncertain 1"),
            ("a moment too old, and nothing in common", file("a", 5), listed(1, "b", 6, SENT - 1), "absent"),
            ("at the edge of the grey zone", file("a", 5), listed(1, "a", 5, SENT - GREY), "uncertain 1"),
            ("older than the grey zone", file("a", 5), listed(1, "a", 5, SENT - GREY - 1), "absent"),
            ("no time given", file("a", 5), Listed { created: None, ..listed(1, "a", 5, SENT) }, "uncertain 1"),
            ("no size given", file("a", 5), Listed { size: None, ..listed(1, "a", 5, SENT) }, "uncertain 1"),
            ("a link of that name", file("a", 0), listed_link(1, "https://x.test", "a", SENT), "absent"),
            ("the link", link("https://x.test", "t"), listed_link(1, "https://x.test", "other", SENT), "found 1"),
            ("another link", link("https://x.test", ""), listed_link(1, "https://y.test", "", SENT), "absent"),
            (
                "its title only",
                link("https://x.test", "t"),
                listed_link(1, "https://x.test/", "t", SENT),
                "uncertain 1",
            ),
            (
                "a grey link",
                link("https://x.test", "t"),
                listed_link(1, "https://x.test", "t", SENT - 9),
                "uncertain 1",
            ),
        ];
        for (what, suspect, listed, expected) in cases {
            assert_eq!(found(std::slice::from_ref(suspect), std::slice::from_ref(listed), &[]), [*expected], "{what}");
        }
    }

    #[test]
    fn an_entry_that_lacks_what_is_needed_to_tell_is_not_absent_but_where_it_cannot_be_ours() {
        let bare = |listed: Listed| Listed { size: None, ..listed };
        let no_name = Listed { name: String::new(), ..listed(1, "", 6, SENT) };
        let no_address = Listed { address_told: false, ..listed(1, "b", 6, SENT) };
        for (what, suspect, listed, expected) in [
            ("no size, another name", file("a", 5), bare(listed(1, "b", 0, SENT)), "untold 1"),
            ("no name, another size", file("a", 5), no_name, "untold 1"),
            ("no size, too old", file("a", 5), bare(listed(1, "b", 0, SENT - GREY - 1)), "absent"),
            ("no size, but a link", file("a", 5), bare(listed_link(1, "https://x.test", "b", SENT)), "absent"),
            ("no address, a link is looked for", link("https://x.test", ""), no_address.clone(), "untold 1"),
            ("no address, a file is looked for", file("a", 5), no_address.clone(), "absent"),
            (
                "no address, too old",
                link("https://x.test", ""),
                Listed { created: Some(SENT - GREY - 1), ..no_address },
                "absent",
            ),
        ] {
            assert_eq!(found(&[suspect], &[listed], &[]), [expected], "{what}");
        }
        assert_eq!(found(&[file("a", 5)], &[bare(listed(1, "b", 0, SENT))], &[1]), ["absent"], "a row has it");
    }

    #[test]
    fn a_new_link_of_our_user_may_be_the_one_that_was_sent_written_otherwise() {
        let ours = Suspect { author: Some(ServiceId::new(7)), ..link("https://x.test", "t") };
        let by =
            |user| Listed { created_by: Some(ServiceId::new(user)), ..listed_link(1, "https://x.test/", "", SENT) };
        assert_eq!(found(std::slice::from_ref(&ours), &[by(7)], &[]), ["uncertain 1"]);
        assert_eq!(found(std::slice::from_ref(&ours), &[by(8)], &[]), ["absent"]);
        let before = Listed { created: Some(SENT - 1), ..by(7) };
        assert_eq!(found(std::slice::from_ref(&ours), &[before], &[]), ["absent"]);
        let new_file = Listed { created_by: Some(ServiceId::new(7)), ..listed(1, "a", 5, SENT) };
        assert_eq!(found(&[ours], &[new_file], &[]), ["absent"], "a file is no link");
        let file_of_ours = Suspect { author: Some(ServiceId::new(7)), ..file("a", 5) };
        assert_eq!(found(&[file_of_ours], &[by(7)], &[]), ["absent"], "a link is no file");
    }

    #[test]
    fn without_the_services_clock_times_prove_nothing() {
        let compare = |suspect: &Suspect<'_>, listed: &Listed| {
            let evidence = Evidence { listed: std::slice::from_ref(listed), claimed: &[], grey_seconds: None };
            compare(std::slice::from_ref(suspect), evidence)[0] == SettleFinding::Absent
        };
        for created in [SENT + 1, SENT, SENT - 10 * GREY] {
            assert!(!compare(&file("a", 5), &listed(1, "a", 5, created)), "neither found nor absent");
            assert!(compare(&file("a", 5), &listed(1, "b", 6, created)), "it looks otherwise");
        }
        let had = [ServiceId::new(1)];
        let proved_absent = Suspect { had: Some(&had), ..file("a", 5) };
        assert!(compare(&proved_absent, &listed(1, "a", 5, SENT)), "it was there when the row was not");
    }

    #[test]
    fn what_has_come_since_a_row_was_proved_absent_is_new_whatever_its_time() {
        let had = [ServiceId::new(1)];
        let row = || Suspect { had: Some(&had), ..file("a", 5) };
        let old = |id| listed(id, "a", 5, SENT - 10 * GREY);
        assert_eq!(found(&[row()], &[old(1)], &[]), ["absent"], "it was there before");
        assert_eq!(found(&[row()], &[old(2)], &[]), ["uncertain 2"], "nobody knows whose it is");
    }

    #[test]
    fn an_attachment_that_the_results_hold_already_is_nobody_elses() {
        assert_eq!(found(&[file("a", 5)], &[listed(1, "a", 5, SENT)], &[1]), ["absent"]);
        assert_eq!(found(&[file("a", 5)], &[listed(1, "a", 5, SENT), listed(2, "a", 5, SENT)], &[1]), ["found 2"]);
    }

    #[test]
    fn an_attachment_of_another_author_is_not_ours_once_the_author_is_known() {
        let ours = Suspect { author: Some(ServiceId::new(7)), ..file("a", 5) };
        let by = |user| Listed { created_by: Some(ServiceId::new(user)), ..listed(1, "a", 5, SENT) };
        assert_eq!(found(std::slice::from_ref(&ours), &[by(7)], &[]), ["found 1"]);
        assert_eq!(found(std::slice::from_ref(&ours), &[by(8)], &[]), ["absent"]);
        assert_eq!(found(&[ours], &[listed(1, "a", 5, SENT)], &[]), ["found 1"], "the list gives no author");
    }

    #[test]
    fn two_that_match_prove_neither() {
        assert_eq!(found(&[file("a", 5)], &[listed(1, "a", 5, SENT), listed(2, "a", 5, SENT + 9)], &[]), ["several"]);
    }

    #[test]
    fn two_rows_that_look_alike_cannot_share_one_attachment() {
        assert_eq!(found(&[file("a", 5), file("a", 5)], &[listed(1, "a", 5, SENT)], &[]), ["several", "several"]);
    }

    #[test]
    fn rows_that_were_given_up_before_do_not_trust_the_clocks() {
        let listed = [listed(1, "a", 5, SENT + 2)];
        let later = |given_up| Suspect { sent_at: SENT + 3, given_up, ..file("a", 5) };
        assert_eq!(found(&[file("a", 5), later(false)], &listed, &[]), ["found 1", "absent"]);
        assert_eq!(found(&[file("a", 5), later(true)], &listed, &[]), ["several", "uncertain 1"]);
        let earlier = Suspect { given_up: true, ..file("a", 5) };
        assert_eq!(found(&[earlier.clone(), later(false)], &listed, &[]), ["several", "uncertain 1"]);
        let two = [self::listed(1, "a", 5, SENT - 1), self::listed(2, "a", 5, SENT + 2)];
        assert_eq!(found(&[earlier], &two, &[]), ["several"]);
        assert_eq!(found(&[file("a", 5)], &two, &[]), ["found 2"]);
    }

    #[test]
    fn exact_matches_are_given_away_before_the_rest_is_judged() {
        let rows = [file("a", 5), file("b", 5)];
        assert_eq!(found(&rows, &[listed(1, "a", 5, SENT)], &[]), ["found 1", "absent"]);
        assert_eq!(found(&rows, &[listed(1, "c", 5, SENT)], &[]), ["uncertain 1", "uncertain 1"]);
        let both = [listed(2, "b", 5, SENT), listed(1, "a", 5, SENT)];
        assert_eq!(found(&rows, &both, &[]), ["found 1", "found 2"]);
    }

    #[test]
    fn a_name_equal_byte_by_byte_beats_one_equal_under_nfc() {
        let both = [listed(1, "é", 5, SENT), listed(2, "e\u{301}", 5, SENT)];
        assert_eq!(found(&[file("e\u{301}", 5)], &both, &[]), ["found 2"]);
    }

    fn any_listed() -> impl Strategy<Value = Vec<Listed>> {
        let one = (0..4_u8, 0..3_u64, -200..20_i64);
        prop::collection::vec(one, 0..8).prop_map(|all| {
            let item = |(index, (name, size, after)): (usize, (u8, u64, i64))| {
                listed(index as u64 + 1, &format!("n{name}"), size, SENT + after)
            };
            all.into_iter().enumerate().map(item).collect()
        })
    }

    proptest! {
        #[test]
        fn no_attachment_is_given_to_two_rows_nor_taken_from_the_results(
            all in any_listed(),
            rows in prop::collection::vec((0..4_u8, 0..3_u64), 1..6),
            claimed in prop::collection::vec(1..8_u64, 0..4),
        ) {
            let suspects: Vec<_> = rows.iter().map(|(name, size)| file(&format!("n{name}"), *size)).collect();
            let claimed: Vec<_> = claimed.into_iter().map(ServiceId::new).collect();
            let findings = compare(&suspects, Evidence { listed: &all, claimed: &claimed, grey_seconds: Some(GREY) });
            prop_assert_eq!(findings.len(), suspects.len());
            let mut given: Vec<ServiceId> = Vec::new();
            for (suspect, finding) in suspects.iter().zip(&findings) {
                if let SettleFinding::Found(listed) = finding {
                    prop_assert!(!given.contains(&listed.id) && !claimed.contains(&listed.id));
                    prop_assert!(listed.created.is_some_and(|created| created >= suspect.sent_at));
                    prop_assert_eq!(&listed.name, &suspect.descriptor.name);
                    given.push(listed.id);
                }
            }
        }

        #[test]
        fn a_row_whose_attachment_is_listed_is_never_called_absent(
            mut all in any_listed(),
            row in (0..4_u8, 0..3_u64),
            late in 0..50_i64,
        ) {
            let suspect = file(&format!("n{}", row.0), row.1);
            all.push(listed(99, &format!("n{}", row.0), row.1, SENT + late));
            let findings = compare(&[suspect], Evidence { listed: &all, claimed: &[], grey_seconds: Some(GREY) });
            prop_assert_ne!(findings[0], SettleFinding::Absent);
        }
    }
}
