//! Finds members of zip archives that rows name, where there is no file of just that name: `exports/A.zip!/scans/1.pdf`.
//!
//! Of each archive only the directory is read, once, however many rows name members of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::path::PathBuf;

use super::files::{Fence, FileFault};
use super::store::{RowStore, SourceIx};
use crate::archive::{self, Member, Unusable};
use crate::text::system_words;
use crate::upload::FileFacts;

/// Why a member cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MemberTrouble {
    /// The archive has no member of this name.
    Missing,
    /// It has several.
    Twice,
    /// It has one that cannot be read.
    Unusable(Unusable),
}

/// An archive that rows name members of.
struct NamedArchive {
    path: PathBuf,
    facts: FileFacts,
    /// The source, and where in its text the name of the member begins.
    wanted: Vec<(SourceIx, usize)>,
}

/// Looks for the sources that are missing as files among the members of archives. What is found goes into the store, and
/// out of `troubles`.
pub(super) fn look_inside(store: &mut RowStore, troubles: &mut HashMap<SourceIx, FileFault>, fence: &Fence<'_>) {
    for archive in named_archives(store, troubles, fence) {
        let found = match find(store, &archive) {
            Ok(found) => found,
            Err(why) => {
                troubles.extend(archive.wanted.iter().map(|(source, _)| (*source, FileFault::Archive(why.clone()))));
                continue;
            }
        };
        let number = store.paths.archives.len() as u32;
        store.paths.archives.push(archive.path);
        for ((source, _), found) in archive.wanted.iter().zip(found) {
            match found {
                Ok(member) => {
                    troubles.remove(source);
                    let facts = FileFacts { size: member.size(), ..archive.facts };
                    store.sources.get_mut(*source).facts = Some(facts);
                    store.paths.members.insert(source.0, (number, member));
                }
                Err(trouble) => {
                    troubles.insert(*source, FileFault::Member(trouble));
                }
            }
        }
    }
}

/// The archives that missing sources name, in the order of their first appearance. Where the file before the separator is
/// there and cannot be used, that is what is wrong with the source.
fn named_archives(
    store: &RowStore,
    troubles: &mut HashMap<SourceIx, FileFault>,
    fence: &Fence<'_>,
) -> Vec<NamedArchive> {
    let mut missing: Vec<SourceIx> =
        troubles.iter().filter(|(_, trouble)| **trouble == FileFault::Missing).map(|(source, _)| *source).collect();
    missing.sort_unstable();
    let mut looks: HashMap<&str, Result<usize, FileFault>> = HashMap::new();
    let mut archives: Vec<NamedArchive> = Vec::new();
    for source in missing {
        let text = store.texts.get(store.sources.get(source).text);
        for (at, separator) in text.match_indices(archive::SEPARATOR) {
            let path = &text[..at];
            let look = match looks.entry(path) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(fence.file_at(path).map(|(path, facts)| {
                    archives.push(NamedArchive { path, facts, wanted: Vec::new() });
                    archives.len() - 1
                })),
            };
            match look {
                Ok(number) => {
                    archives[*number].wanted.push((source, at + separator.len()));
                    break;
                }
                Err(FileFault::Missing | FileFault::NotAFile(_)) => {}
                Err(trouble) => {
                    troubles.insert(source, trouble.clone());
                    break;
                }
            }
        }
    }
    archives
}

/// What the directory of an archive says of each member that is wanted, in their order.
fn find(store: &RowStore, archive: &NamedArchive) -> Result<Vec<Result<Member, MemberTrouble>>, String> {
    let mut found = vec![Err(MemberTrouble::Missing); archive.wanted.len()];
    let mut by_name: HashMap<&str, usize> = HashMap::with_capacity(archive.wanted.len());
    for (ix, (source, start)) in archive.wanted.iter().enumerate() {
        let text = store.texts.get(store.sources.get(*source).text);
        by_name.insert(text.get(*start..).unwrap_or_default(), ix);
    }
    let file = File::open(&archive.path).map_err(|error| system_words(&error))?;
    archive::read_directory(file, &mut |entry| {
        if let Some(ix) = by_name.get(&*entry.name) {
            found[*ix] = match found[*ix] {
                Err(MemberTrouble::Missing) => entry.member.map_err(MemberTrouble::Unusable),
                _ => Err(MemberTrouble::Twice),
            };
        }
    })
    .map_err(|error| error.to_string())?;
    Ok(found)
}
