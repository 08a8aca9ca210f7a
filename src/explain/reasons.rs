//! Why a line of an export, or a file in it, is left out: a fixed list, each with a page in `attache explain`.

use std::fmt;

use super::ExplainPage;

macro_rules! left_out_reasons {
    ($($variant:ident = $code:literal; title: $title:literal; meaning: $meaning:literal; remedy: $remedy:literal;)+) => {
        /// Why something of an export is not in the manifest. The words are stable: scripts rely on them.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum LeftOutReason {
            $(
                #[doc = concat!($title, ".")]
                $variant,
            )+
        }

        impl LeftOutReason {
            /// The word for it, in kebab-case.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(LeftOutReason::$variant => $code,)+
                }
            }

            /// What it means, in one line.
            pub fn title(self) -> &'static str {
                match self {
                    $(LeftOutReason::$variant => $title,)+
                }
            }
        }

        /// Their pages.
        pub const PAGES: &[ExplainPage] = &[
            $(ExplainPage { code: $code, title: $title, meaning: $meaning, remedy: $remedy },)+
        ];
    };
}

impl fmt::Display for LeftOutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

left_out_reasons! {
    // Lines of the export's tables.

    BrokenLine = "broken-line";
    title: "the line of the export cannot be taken apart";
    meaning: "Its quotes are broken, it has more or fewer cells than the heading, or some of its bytes are not text. \
              What its cells say cannot be told, and reading went on behind it.";
    remedy: "Look at the line in a text editor. Most often a program has opened the export and saved it anew: take the \
             export as it was downloaded, or save the table as CSV UTF-8.";

    CellTooLong = "cell-too-long";
    title: "a cell that the row is made of is longer than a manifest takes";
    meaning: "Ids, names and addresses may have 64 KiB each, and a row of the manifest 512 KiB. What is longer is most often a \
              quote that was never closed, or text in the wrong column.";
    remedy: "Look at the line in a text editor, or at the columns that you named. A row of your own in the manifest can \
             attach the file.";

    CellLost = "cell-lost";
    title: "the sheet does not hold any more what stood in a cell";
    meaning: "A workbook has turned it into a number that lost its last digits, into a date or into a truth value; or a \
              formula was never worked out; or merged cells hide it.";
    remedy: "Format the column as Text in the sheet and take the values from the old system again, or give the export as it \
             was downloaded.";

    NoParent = "no-parent";
    title: "the line names no record that the file belongs to";
    meaning: "The column for the record is empty, or the record's module is not said.";
    remedy: "Look the file up in the old system. A row of your own in the manifest can attach it.";

    KeyUnfit = "key-unfit";
    title: "the old system's id is damaged or is none";
    meaning: "It looks as if a spreadsheet had taken it for a number, it has control characters, or it is longer than \
              any id.";
    remedy: "Take the export as it was downloaded, without opening it in a spreadsheet first.";

    ModuleUnknown = "module-unknown-in-export";
    title: "nobody knows which module of Zoho CRM the record is in";
    meaning: "The export calls the kind of record by a name or a prefix of its own, for which no module is known, or by one \
              that no module with attachments can have.";
    remedy: "Say it with --map FILE, a CSV with the columns prefix and module; the column id of the list of what was left \
             out shows what the old system calls it.";

    ParentMissing = "parent-missing";
    title: "the note or e-mail that the file hangs on is not in the export";
    meaning: "The file belongs to a note or an e-mail, and through that to a record; the table that would say which \
              record is missing, or does not name it.";
    remedy: "Give the folder or zip with all tables of the export, not only those with the attachments.";

    LinkedToUser = "linked-to-user";
    title: "the document is shared with a user, a group or a library, which is no record";
    meaning: "Documents are linked to records and shared with people by the same list. Only records get attachments.";
    remedy: "Nothing needs to be done if the document has other links. If it has none, decide which record gets it.";

    NoRecordLink = "no-record-link";
    title: "the document is linked to no record";
    meaning: "Nothing in the export says which record the document belongs to.";
    remedy: "Decide which record gets it, and add a row to the manifest.";

    NoDocument = "no-document";
    title: "the link leads to a document that is not in the export";
    meaning: "The list of links names a document that the list of documents does not have, or only in an old version.";
    remedy: "Give all parts of the export.";

    OldVersion = "old-version";
    title: "there is a later version of the document";
    meaning: "The export holds every version; the latest one is taken.";
    remedy: "Nothing needs to be done.";

    TextNote = "text-note";
    title: "it is a note, not a file";
    meaning: "The export keeps notes among the documents. Their text belongs into Zoho's notes, not into an attachment.";
    remedy: "Import notes as notes.";

    Deleted = "deleted";
    title: "it was deleted: in the old system, or by attache undo";
    meaning: "In a list of what was left out: the export says that the row, or what it hangs on, is deleted. As a status of \
              the results: attache undo deleted the attachment that the row had, and the service said so, or its record has \
              it no more; finished_at says when. As far as the service's help says, it is in the recycle bin for 60 days.";
    remedy: "Nothing needs to be done. A row of the results is not sent again by itself; --resend deleted attaches it once \
             more.";

    NotAvailable = "not-available";
    title: "the export says that it is not available";
    meaning: "Its status is another one than available: it is in the recycle bin, or not released.";
    remedy: "Nothing needs to be done, unless it should have been restored before the export.";

    UploadField = "upload-field";
    title: "the file belongs to a file-upload field, not to the attachments";
    meaning: "Fields of that kind are filled by another API, and their files are no attachments of the record.";
    remedy: "Fill the fields by an import into Zoho CRM.";

    LinkUnfit = "link-unfit";
    title: "the address is none that Zoho CRM takes";
    meaning: "A link is an absolute address with http or https.";
    remedy: "Correct the address and add a row to the manifest.";

    NotBase64 = "not-base64";
    title: "the body of the file cannot be decoded";
    meaning: "The export holds files as text in base64, and this text is none: it was cut off or changed.";
    remedy: "Export the row anew.";

    // Files.

    NoFile = "no-file";
    title: "the export has no file for the line";
    meaning: "The line describes a file, and nothing in the folders and zips that were given is it.";
    remedy: "Give all parts of the export: the large ones come in several zips.";

    FileTwice = "file-twice";
    title: "the export has more than one file for the line";
    meaning: "Two files have the same id in their names, and nobody knows which is the right one.";
    remedy: "Look at both and take one of them away; often the same zip was given packed and unpacked.";

    EmptyFile = "empty-file";
    title: "the file is empty";
    meaning: "It has 0 bytes: the old system had nothing to give, or a copy failed.";
    remedy: "Look the file up in the old system.";

    ProgramFile = "program-file";
    title: "it is a Windows program, which Zoho CRM refuses";
    meaning: "The name ends in .exe, in whatever disguise.";
    remedy: "Pack it into a zip file and add a row to the manifest, or leave it.";

    MemberUnfit = "member-unfit";
    title: "the file in the zip cannot be read";
    meaning: "It is encrypted, packed in a way that is not read here, there twice, or would grow out of all proportion.";
    remedy: "Unpack the zip with another program and give the folder instead.";

    ZipDamaged = "zip-damaged";
    title: "the zip cannot be read";
    meaning: "It has no directory of its files at its end, or a damaged one. Most often it was cut off while it was \
              downloaded or copied.";
    remedy: "Download or copy it anew, then collect again.";

    PathUnfit = "path-unfit";
    title: "the path of the file cannot stand in a manifest";
    meaning: "It has a line break, another control character, a backslash, or bytes that are not text; or no file is there: a \
              link that leads nowhere or to a folder, or a pipe.";
    remedy: "Rename the file or the folder, or mend the link, then collect again.";

    NoPattern = "no-pattern";
    title: "the name fits no pattern";
    meaning: "The path of the file is not built as --pattern says, so nothing tells which record it belongs to.";
    remedy: "Rename the file, or collect it with another --pattern into a manifest of its own.";

    SystemFile = "system-file";
    title: "it is a hidden file or one that a system made for itself";
    meaning: "Such as .DS_Store, Thumbs.db, desktop.ini, and the lock files of open documents (~$…).";
    remedy: "Nothing needs to be done.";

    NoLine = "no-line";
    title: "no line of the export names the file";
    meaning: "The file lies among the attachments, and no table says what it is or where it belongs.";
    remedy: "Give all tables of the export. Exports hold such files where a record was deleted for good.";
}
