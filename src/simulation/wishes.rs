//! What the user wants, and the manifests that say so: the same wishes, written in another order, in another format, some
//! taken out, put back, added or moved to another record between two runs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::content::{Fingerprint, FingerprintKind};
use crate::upload::{RecordId, SourceKind};

/// One attachment that the user wants: a row of the manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wish {
    pub(super) record: RecordId,
    pub(super) source: WishedAttachment,
    /// The name to send, where it is not the file's own; a link's title.
    pub(super) name: Option<String>,
    /// The service refuses it for good.
    pub(super) refused: bool,
    /// Whether it is in the manifest now.
    pub(super) kept: bool,
    /// How its path is written now.
    pub(super) spelling: Spelling,
}

/// What is attached.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum WishedAttachment {
    /// A file, by its folder and the number in its name.
    File(WishFolder, u8),
    /// An address.
    Link(String),
}

/// Where files are. Names and sizes are the same in both, bytes are not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum WishFolder {
    Scans,
    Other,
}

/// How the path of one and the same file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spelling {
    /// `scans/n0.pdf`
    Plain,
    /// `./scans/n0.pdf`
    Dotted,
    /// `scans/../scans/n0.pdf`
    Roundabout,
    /// From the root of the file system.
    Absolute,
    /// `moved/scans/n0.pdf`: where the whole folder stands, too.
    Moved,
}

/// What can be told apart at the service: wishes that are equal in all of this are one as good as the other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct WishKind {
    pub(super) record: RecordId,
    pub(super) source: WishedAttachment,
    pub(super) name: String,
}

impl Wish {
    pub(super) fn kind(&self) -> WishKind {
        // The title of a link is no part of what it is.
        let name = if self.is_link() { String::new() } else { self.name() };
        WishKind { record: self.record, source: self.source.clone(), name }
    }

    pub(super) fn is_link(&self) -> bool {
        matches!(self.source, WishedAttachment::Link(_))
    }

    /// The name under which it is sent; for a link its title.
    pub(super) fn name(&self) -> String {
        match (&self.name, &self.source) {
            (Some(name), _) => name.clone(),
            (None, WishedAttachment::File(_, number)) => file_name(*number),
            (None, WishedAttachment::Link(_)) => String::new(),
        }
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> u64 {
        match self.source {
            WishedAttachment::File(_, number) => size_of(number),
            WishedAttachment::Link(_) => 0,
        }
    }

    /// The fingerprint of the bytes.
    pub(super) fn content(&self) -> Option<Fingerprint> {
        let WishedAttachment::File(folder, number) = self.source else { return None };
        // Reading what is in memory cannot fail.
        Fingerprint::of(&*bytes_of(folder, number), FingerprintKind::default()).ok().map(|(content, _)| content)
    }

    pub(super) fn source_kind(&self) -> SourceKind {
        if self.is_link() { SourceKind::Link } else { SourceKind::File }
    }

    fn module(&self) -> &'static str {
        if self.record.get().is_multiple_of(2) { "Leads" } else { "Deals" }
    }

    fn path(&self) -> String {
        let (folder, number) = match &self.source {
            WishedAttachment::File(WishFolder::Scans, number) => ("scans", number),
            WishedAttachment::File(WishFolder::Other, number) => ("other", number),
            WishedAttachment::Link(_) => return String::new(),
        };
        let name = file_name(*number);
        match self.spelling {
            Spelling::Plain => format!("{folder}/{name}"),
            Spelling::Dotted => format!("./{folder}/{name}"),
            Spelling::Moved => format!("moved/{folder}/{name}"),
            Spelling::Roundabout => format!("{folder}/../{folder}/{name}"),
            Spelling::Absolute => {
                let root = root().canonicalize().expect("the root is there");
                format!("{}/{folder}/{name}", root.display())
            }
        }
    }

    fn address(&self) -> &str {
        match &self.source {
            WishedAttachment::File(..) => "",
            WishedAttachment::Link(address) => address,
        }
    }
}

fn file_name(number: u8) -> String {
    format!("n{number}.pdf")
}

/// Several files have the same size.
fn size_of(number: u8) -> u64 {
    u64::from(number / 2) * 100 + 10
}

fn bytes_of(folder: WishFolder, number: u8) -> Vec<u8> {
    let size = usize::try_from(size_of(number)).expect("small");
    let filling = match folder {
        WishFolder::Scans => b's',
        WishFolder::Other => b'o',
    };
    [vec![b'0' + number], vec![filling; size - 1]].concat()
}

/// Draws a manifest. Rows that look alike are the hard ones: few names, fewer sizes, identical rows.
pub(super) fn draw(random: &mut fastrand::Rng) -> Vec<Wish> {
    let mut wishes: Vec<Wish> = Vec::new();
    let records = random.u64(1..=4);
    for _ in 0..random.usize(1..=14) {
        let wish = another(random, records, &wishes);
        wishes.push(wish);
    }
    wishes
}

/// One more wish: a new one, or one that is there already once more.
pub(super) fn another(random: &mut fastrand::Rng, records: u64, wishes: &[Wish]) -> Wish {
    if !wishes.is_empty() && random.u8(..4) == 0 {
        let copied = &wishes[random.usize(..wishes.len())];
        if !copied.is_link() {
            return Wish { kept: true, ..copied.clone() };
        }
    }
    let number = random.u64(..records);
    let record = RecordId::new(1_000_000_000 + number).expect("ten digits");
    let folder = if random.u8(..6) == 0 { WishFolder::Other } else { WishFolder::Scans };
    let link = random.u8(..5) == 0;
    let source = if link {
        WishedAttachment::Link(format!("https://example.test/{}", wishes.len()))
    } else {
        WishedAttachment::File(folder, random.u8(..4))
    };
    let name = (!link && random.u8(..10) == 0).then(|| "given.pdf".to_owned());
    let drawn = Wish { record, source, name, refused: random.u8(..20) == 0, kept: true, spelling: Spelling::Plain };
    // What the service makes of a row hangs on nothing but what it is.
    let refused = wishes.iter().find(|wish| wish.kind() == drawn.kind()).map_or(drawn.refused, |wish| wish.refused);
    Wish { refused, ..drawn }
}

/// How a manifest is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WishFormat {
    Csv,
    Yaml,
}

/// The manifest of these wishes.
pub(super) fn written<'a>(wishes: impl Iterator<Item = &'a Wish>, format: WishFormat) -> String {
    let mut text = match format {
        WishFormat::Csv => "module,record,file,url,name\n".to_owned(),
        WishFormat::Yaml => "version: 1\nuploads:\n".to_owned(),
    };
    for wish in wishes {
        let (module, record, file, url) = (wish.module(), wish.record, wish.path(), wish.address());
        let name = wish.name.as_deref().unwrap_or_default();
        // Writing into a text cannot fail.
        let _ = match format {
            WishFormat::Csv => writeln!(text, "{module},{record},{file},{url},{name}"),
            WishFormat::Yaml => {
                let source = if file.is_empty() { format!("url: {url}") } else { format!("file: {file}") };
                let name = if name.is_empty() { String::new() } else { format!("\n    name: {name}") };
                writeln!(text, "  - module: {module}\n    record: \"{record}\"\n    {source}{name}")
            }
        };
    }
    text
}

/// The files that all wishes of all worlds are about; made once and never changed.
pub(super) fn root() -> &'static Path {
    static ROOT: OnceLock<TempDir> = OnceLock::new();
    ROOT.get_or_init(|| {
        let root = tempfile::tempdir().expect("a folder for the files");
        for (folder, name) in [(WishFolder::Scans, "scans"), (WishFolder::Other, "other")] {
            for place in [root.path().join(name), root.path().join("moved").join(name)] {
                std::fs::create_dir_all(&place).expect("a folder");
                for number in 0..4 {
                    std::fs::write(place.join(file_name(number)), bytes_of(folder, number)).expect("a file");
                }
            }
        }
        root
    })
    .path()
}

/// Where the manifest of a world stands while a run reads it.
pub(super) fn place(seed: u64, format: WishFormat) -> PathBuf {
    let ending = match format {
        WishFormat::Csv => "csv",
        WishFormat::Yaml => "yaml",
    };
    // Worlds of the same number live at once where several tests tell them.
    let thread = format!("{:?}", std::thread::current().id());
    let thread: String = thread.chars().filter(char::is_ascii_digit).collect();
    root().join(format!("{seed}-{thread}.{ending}"))
}
