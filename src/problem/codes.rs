//! The codes of everything that can be wrong with a manifest: one table with the word, the weight, and the text that
//! `attache explain CODE` shows. Where a code is raised is the business of `manifest` and `check`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::Severity;

/// What a code is about, and so what `--skip-invalid` can do for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Extent {
    /// One row, which can be left out.
    Row,
    /// How the file as a whole is to be read: without it, nobody knows what the rows are.
    Whole,
}

macro_rules! problem_codes {
    ($(
        $variant:ident = $code:literal, $severity:ident, $extent:ident;
        title: $title:literal;
        meaning: $meaning:literal;
        example: $example:literal;
        remedy: $remedy:literal;
    )+) => {
        /// A kind of problem in a manifest. The words are stable: scripts rely on them.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum ProblemCode {
            $(
                #[doc = concat!($title, ".")]
                $variant,
            )+
        }

        impl ProblemCode {
            /// Every code, in the order of the documentation.
            pub const ALL: &[ProblemCode] = &[$(ProblemCode::$variant,)+];

            /// The word for it, in kebab-case.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(ProblemCode::$variant => $code,)+
                }
            }

            /// How much it weighs when no flag says otherwise.
            pub const fn severity(self) -> Severity {
                match self {
                    $(ProblemCode::$variant => Severity::$severity,)+
                }
            }

            /// Whether one row or the whole file is at stake.
            pub const fn extent(self) -> Extent {
                match self {
                    $(ProblemCode::$variant => Extent::$extent,)+
                }
            }

            /// What a manifest looks like that has it.
            pub const fn example(self) -> &'static str {
                match self {
                    $(ProblemCode::$variant => $example,)+
                }
            }

            /// What it means, in one line without a full stop.
            pub const fn title(self) -> &'static str {
                match self {
                    $(ProblemCode::$variant => $title,)+
                }
            }

            /// What has happened and why it matters, in whole sentences.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(ProblemCode::$variant => $meaning,)+
                }
            }

            /// What to do about it, in whole sentences.
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(ProblemCode::$variant => $remedy,)+
                }
            }
        }
    };
}

problem_codes! {
    // The file as a whole.

    NoRows = "no-rows", Error, Whole;
    title: "the manifest has no rows";
    meaning: "The manifest could be read, but there is not one row in it. A run over nothing is far more often an \
              export that went wrong than something that was meant, so it is not taken for a success.";
    example: "module,record,file\n";
    remedy: "Check that the right file was given and that the export that made it was complete.";

    NotText = "not-text", Error, Row;
    title: "some bytes are not text in the encoding of the file";
    meaning: "The file is read as UTF-8 (or as UTF-16 where it begins with a byte order mark, or as what --encoding \
              says), and these bytes mean nothing in it. Guessing could send a file under a wrong name, so nothing is \
              guessed.";
    example: "Leads,738964000000291009,R\\xE9sum\\xE9.pdf     (saved as Windows-1252)";
    remedy: "Save the file as \"CSV UTF-8\", or say what it is: --encoding windows-1252 for a file that a Western \
             European Excel saved as plain CSV.";

    NulCharacter = "nul-character", Error, Row;
    title: "a NUL character stands in the text";
    meaning: "No path, id or name can hold a NUL. Many of them in a file mean that it is UTF-16 without a byte order \
              mark.";
    example: "Leads,738964000000291009,a\\0.pdf";
    remedy: "Take the NUL out, or read the file with --encoding utf-16le.";

    LoneCr = "lone-cr", Error, Row;
    title: "a carriage return stands without a line feed behind it";
    meaning: "Lines end with LF or CRLF. A CR alone is either the line end of a very old Mac program, or a stray \
              character in a cell; some readers break the row there and others do not, so it is not accepted.";
    example: "Leads,738964000000291009,a\\r.pdf";
    remedy: "Save the file with the line ends of Windows or Unix, and take the CR out of the cell.";

    UnclosedQuote = "unclosed-quote", Error, Whole;
    title: "a quoted cell is never closed";
    meaning: "A cell begins with a quote, and the closing quote is missing. A simpler reader would take all rows up \
              to the next quote for one cell and lose them without a word. The line named is the one on which the \
              quote opens. If it is still open after 1 MiB, nothing below it is read.";
    example: "Leads,738964000000291009,\"a.pdf\nLeads,738964000000291010,b.pdf";
    remedy: "Close the quote, or take it away. A quote inside a quoted cell is written twice: \"the \"\"last\"\" one\".";

    TextAfterQuote = "text-after-quote", Error, Whole;
    title: "text follows a closing quote";
    meaning: "After the quote that closes a cell only the delimiter or the end of the line may stand. A simpler \
              reader would glue the two pieces together.";
    example: "Leads,738964000000291009,\"a\".pdf";
    remedy: "Put the whole cell in quotes and write quotes inside it twice: \"\"\"a\"\".pdf\".";

    BlankAroundQuote = "blank-around-quote", Error, Whole;
    title: "blanks stand between a delimiter and a quote";
    meaning: "Blanks before an opening or after a closing quote make it unclear whether the quotes belong to the cell.";
    example: "Leads, \"738964000000291009\" ,a.pdf";
    remedy: "Take the blanks between the delimiter and the quote away.";

    NewlineInCell = "newline-in-cell", Error, Whole;
    title: "a line break stands inside a cell that may not have one";
    meaning: "Only carried columns (note, x_…) may hold line breaks. In a module, an id, a path, an address or a name \
              one means that a quote went astray and rows were swallowed.";
    example: "Leads,\"738964000000291009\n\",a.pdf";
    remedy: "Take the line break out of the cell, or put the quotes right.";

    CellTooLarge = "cell-too-large", Error, Row;
    title: "a cell has more than 64 KiB";
    meaning: "No value of a manifest is this long; most often a quote went astray and many rows ran together.";
    example: "Leads,738964000000291009,a.pdf,\"(70,000 characters)\"";
    remedy: "Look at the quotes around this line, or shorten the cell.";

    RowTooLarge = "row-too-large", Error, Whole;
    title: "a row has more than 1 MiB";
    meaning: "No row of a manifest is this long; perhaps the file is not a manifest at all.";
    example: "(one line of 2 MB)";
    remedy: "Check that the right file was given, and look at its line ends.";

    DelimiterUnclear = "delimiter-unclear", Error, Whole;
    title: "more than one delimiter would fit the header";
    meaning: "The delimiter is found from the header: the one of comma, semicolon, TAB and | that gives known column \
              names. Here two of them do, or a `sep=` line names another one.";
    example: "module;record,file";
    remedy: "Use one delimiter in the whole header.";

    SepContradicts = "sep-contradicts", Error, Whole;
    title: "the `sep=` line does not fit the header";
    meaning: "The first line says which delimiter the file uses, but the header uses another.";
    example: "sep=;\nmodule,record,file";
    remedy: "Correct the `sep=` line or take it away.";

    HeaderMissing = "header-missing", Error, Whole;
    title: "the first line is not a header";
    meaning: "The first line that is not blank must name the columns; here it holds none of the known names.";
    example: "Leads,738964000000291009,a.pdf";
    remedy: "Put a line such as `module,record,file` first. Known are module, record, file, url, name, note and \
             x_ with a name of yours behind it.";

    ColumnMissing = "column-missing", Error, Whole;
    title: "a needed column is missing";
    meaning: "A CSV manifest needs the columns module and record, and at least one of file and url.";
    example: "module,file\nLeads,a.pdf";
    remedy: "Add the column.";

    ColumnUnknown = "column-unknown", Error, Whole;
    title: "a column has a name that is not known";
    meaning: "Unknown columns are refused, since a mistyped `name` would otherwise be ignored without a word.";
    example: "module,record,file,naem";
    remedy: "Correct the name, or begin it with x_ to have the column carried into the results untouched.";

    ColumnTwice = "column-twice", Error, Whole;
    title: "two columns have the same name";
    meaning: "It cannot be told which of the two counts. Upper and lower case make no difference.";
    example: "module,record,file,File";
    remedy: "Rename or remove one of them.";

    ColumnUnnamed = "column-unnamed", Error, Whole;
    title: "a column that holds something has no name";
    meaning: "Empty columns at the end are ignored. One that has values, or that stands between others, needs a name.";
    example: "module,record,,file";
    remedy: "Name the column (x_something to carry it along) or remove it.";

    TooManyColumns = "too-many-columns", Error, Whole;
    title: "there are too many columns";
    meaning: "No more than 1,000 different note and x_ columns are carried, and a header has no more than 16,384 columns, \
              the most that a spreadsheet has.";
    example: "x_1,x_2,x_3,…,x_1001";
    remedy: "Keep only what the results need.";

    TooManyCells = "too-many-cells", Error, Row;
    title: "a row has more cells than the header";
    meaning: "Most often a cell holds the delimiter and is not quoted.";
    example: "module,record,file\nLeads,738964000000291009,Smith, John.pdf";
    remedy: "Put the cell that holds the delimiter in quotes: \"Smith, John.pdf\".";

    CommentLine = "comment-line", Error, Row;
    title: "a line looks like a comment";
    meaning: "CSV has no comments. The line would be a row with a module whose name begins with #.";
    example: "# the second batch";
    remedy: "Remove the line; remarks can go into a column named note.";

    ResultsAsManifest = "results-as-manifest", Error, Whole;
    title: "a results file was given as the manifest";
    meaning: "This file was written by attache to record what became of the rows of a manifest. Run as a manifest it \
              would lose what is known of them.";
    example: "line,module,record,file,url,name,status,attachment_id,…";
    remedy: "Run the manifest again: rows that are done are skipped. To send refused rows again, add --resend failed.";

    ManifestChanged = "manifest-changed", Error, Whole;
    title: "the manifest changed while it was being read";
    meaning: "Its size or its time of change is not what it was when reading began, so what was read may be half old \
              and half new.";
    example: "(the spreadsheet was saved in the meantime)";
    remedy: "Wait until nothing writes to it any more, and start again.";

    ManifestTooLarge = "manifest-too-large", Error, Whole;
    title: "the manifest holds more text than can be worked on at once";
    meaning: "A manifest may have 1 GiB, which is seven to ten million rows as exports write them, and what stands \
              before the rows of a YAML manifest 4 MiB. A file that is larger is refused before it is read. Most \
              often it is not the file that was meant.";
    example: "(a manifest of 5 GB)";
    remedy: "Check that it is the right file. If it is, split it; each part gets its own header and its own results \
             file.";

    TooManyBadRows = "too-many-bad-rows", Error, Whole;
    title: "a million rows cannot be complete, and the rest was not read";
    meaning: "A row that lacks something, or has a value that cannot be right, is held so that it can be written out \
              and mended. With a million of them reading is given up: they have their cause in common, or the file \
              is no manifest.";
    example: "(a file of 400 MB that is something else)";
    remedy: "Check that it is the right file. Mend what most rows have in common, and look at the manifest again.";

    ReadFailed = "read-failed", Error, Whole;
    title: "the manifest could not be read to its end";
    meaning: "The system reported an error while the file was being read. Rows after this place are not known.";
    example: "(the network drive went away)";
    remedy: "Copy the manifest to a local disk and start again.";

    Tolerated = "tolerated", Note, Whole;
    title: "small irregularities of the file were read with tolerance";
    meaning: "Blank lines, rows of only empty cells, unnamed empty columns at the end, missing cells at the end of a \
              row where they are optional, and a last line without an end change nothing. They are mentioned once, \
              since they may be a sign that the export was cut short. So are the sheets of a workbook that are not read: \
              one sheet is.";
    example: "module,record,file,,\n\nLeads,738964000000291009,a.pdf,,";
    remedy: "Nothing needs to be done. Another sheet of a workbook is read with --sheet NAME.";

    RowsHidden = "rows-hidden", Warning, Whole;
    title: "rows of the sheet are hidden, and read";
    meaning: "A filter hides the rows of a sheet that it does not let through, and rows can be folded away or hidden one by \
              one. They are in the file all the same, and are read and sent like the others.";
    example: "(a sheet with a filter on the column module)";
    remedy: "If they are not meant to be sent, delete them, or copy what the filter shows to a sheet of its own. --lines and \
             --only send a part of a manifest.";

    // YAML.

    YamlSyntax = "yaml-syntax", Error, Whole;
    title: "the text is not YAML";
    meaning: "The text breaks a rule of YAML, so what follows cannot be read. Rows after this place are not known.";
    example: "uploads:\n  - module: Leads\n\trecord: \"738964000000291009\"     (indented by a TAB)";
    remedy: "Look at the place named, and at the line before it: indentation by blanks only, a blank after each \
             colon, quotes around values that begin with a special character.";

    YamlComment = "yaml-comment", Warning, Row;
    title: "the end of a value is taken for a comment";
    meaning: "In YAML a # behind a blank begins a comment, unless the value is quoted. Here one follows a file, an address, a \
              name, a key or a carried value, so that part of it may be missing.";
    example: "  - name: Contract #4.pdf     (the name is Contract)";
    remedy: "Quote the whole value: name: 'Contract #4.pdf'. A real comment can stand on a line of its own.";

    YamlDocuments = "yaml-documents", Error, Whole;
    title: "there is more than one YAML document";
    meaning: "A manifest is one document. What follows the second `---` would be ignored by some readers.";
    example: "version: 1\nuploads: []\n---\nversion: 1";
    remedy: "Make it one document, or one file for each.";

    YamlTag = "yaml-tag", Error, Row;
    title: "a YAML tag is used";
    meaning: "Values are taken as written; a tag such as !!int would change what they mean.";
    example: "record: !!int 738964000000291009";
    remedy: "Remove the tag.";

    YamlAlias = "yaml-alias", Error, Row;
    title: "a YAML alias is used";
    meaning: "An alias stands for text from elsewhere in the file. A row must be readable where it stands.";
    example: "record: *first";
    remedy: "Write the value out, or put it under `defaults:`.";

    YamlAnchor = "yaml-anchor", Error, Row;
    title: "a YAML anchor stands in a row";
    meaning: "Anchors serve aliases, and aliases are not accepted. After 1,000 of them nothing more is read.";
    example: "record: &first \"738964000000291009\"";
    remedy: "Remove the anchor (the word that begins with &).";

    YamlMergeKey = "yaml-merge-key", Error, Row;
    title: "a YAML merge key is used";
    meaning: "`<<` would bring in keys from elsewhere.";
    example: "- <<: *common\n  file: a.pdf";
    remedy: "Put values that many rows share under `defaults:`.";

    KeyUnknown = "key-unknown", Error, Row;
    title: "a key is not known";
    meaning: "Unknown keys are refused, since a mistyped `name` would otherwise be ignored without a word. Upper and \
              lower case matter.";
    example: "- Module: Leads";
    remedy: "Correct the key, or begin it with x_ to have the value carried into the results untouched.";

    KeyTwice = "key-twice", Error, Row;
    title: "a key stands twice";
    meaning: "It cannot be told which of the two values counts.";
    example: "- module: Leads\n  module: Deals";
    remedy: "Remove one. Perhaps a `-` is missing that begins a new row.";

    ValueNotText = "value-not-text", Error, Row;
    title: "a value is a list or a map where one text is wanted";
    meaning: "Every value of a row is one text.";
    example: "file: [a.pdf, b.pdf]";
    remedy: "Write one row for each file. Quote a value that contains `: ` or begins with [ or {.";

    RowNotKeys = "row-not-keys", Error, Row;
    title: "an entry under `uploads:` is not a set of keys and values";
    meaning: "Each entry of the list is a row with keys such as module, record and file.";
    example: "uploads:\n  - a.pdf";
    remedy: "Write `- module: …` and the other keys below it, indented alike.";

    UploadsMissing = "uploads-missing", Error, Whole;
    title: "there is no list of uploads";
    meaning: "A YAML manifest has its rows in a list under the key `uploads`.";
    example: "version: 1\nuploads:\n  module: Leads";
    remedy: "Add `uploads:` with one `- module: …` for each row.";

    VersionMissing = "version-missing", Error, Whole;
    title: "the version of the manifest's format is not said";
    meaning: "A YAML manifest says which version of the format it is written in, so that later versions of attache \
              read it as it was meant.";
    example: "uploads:\n  - module: Leads";
    remedy: "Begin the file with `version: 1`.";

    VersionUnknown = "version-unknown", Error, Whole;
    title: "the version of the manifest's format is not one that is known";
    meaning: "The only version is the whole number 1.";
    example: "version: \"1.0\"";
    remedy: "Write `version: 1`, or use a newer attache if the manifest was made for one.";

    HeadValue = "head-value", Error, Whole;
    title: "a setting at the top of the manifest has a value of the wrong kind";
    meaning: "`root` is one text, `custom_modules` a list of texts, `defaults` a set of keys and values.";
    example: "custom_modules: Projekte";
    remedy: "Write the value as the reference shows it: `custom_modules: [Projekte]`.";

    KeyAfterUploads = "key-after-uploads", Error, Whole;
    title: "a setting stands behind the rows";
    meaning: "Rows are read as they come, so what they depend on has to stand before them.";
    example: "version: 1\nuploads: []\ndefaults:\n  module: Leads";
    remedy: "Move the key before `uploads:`.";

    RootUnusable = "root-unusable", Error, Whole;
    title: "the folder named by `root` cannot be used";
    meaning: "`root` names a folder inside the folder of the manifest, against which paths are resolved. It does not \
              exist, is no folder, or leads outside.";
    example: "root: ../other";
    remedy: "Correct it, or name any folder on the command line: --root DIR.";

    // Modules.

    // What only a workbook can have.

    RecordNumberCell = "record-number-cell", Error, Row;
    title: "a record id or key is a number in the workbook";
    meaning: "A sheet keeps 15 digits of a number. A record id of 16 digits or more in a cell that is a number has lost its \
              last ones, whatever the sheet shows, so the id is not the one that was meant.";
    example: "(cell B2, 4150868000001944196 typed as a number: the sheet keeps 4150868000001940000)";
    remedy: "Format the column as Text, and take the ids from the export again. Changing the format of cells that hold \
             numbers does not bring the digits back.";

    CellNotText = "cell-not-text", Error, Row;
    title: "a cell of the workbook is a date, a truth value or a long number";
    meaning: "What a sheet shows for such a cell depends on its format and on the language of the program, so nobody can \
              tell which text was meant. In note and x_ columns such cells are taken: dates as 2024-03-01.";
    example: "(cell D2 of a workbook: a name typed as 1-2, which became the date 2024-01-02)";
    remedy: "Format the column as Text in the sheet, and write the value into the cell again.";

    CellFormula = "cell-formula", Error, Row;
    title: "a formula of the workbook has no value in the file";
    meaning: "A workbook holds for each formula the value that it came to when it was calculated last. Here there is none: \
              most often a program wrote the workbook, and nobody has opened it since. Formulas are not worked out here.";
    example: "(cell C2 of a workbook: =A2&\".pdf\", never calculated)";
    remedy: "Open the workbook in a spreadsheet program and save it, or put values in place of the formulas.";

    CellMerged = "cell-merged", Error, Row;
    title: "a cell of the workbook is hidden by merged cells";
    meaning: "Merged cells look like one that stands for several rows, but only the first has a value; the others are \
              empty. No row takes anything over from the one above it.";
    example: "(cells B2 to B4 of a workbook merged, with one record id for three rows)";
    remedy: "Take the merged cells apart in the sheet, and fill each of them.";

    SpreadsheetError = "spreadsheet-error", Error, Row;
    title: "a value is the error of a spreadsheet";
    meaning: "A formula went wrong in the table that the manifest was made from, and left its error in place of a value. \
              What the value was meant to be is not known.";
    example: "module,record,file,name\nLeads,738964000000291009,a.pdf,#REF!";
    remedy: "Mend the formula in the table, and make the manifest from it again.";

    ModuleMissing = "module-missing", Error, Row;
    title: "a row has no module";
    meaning: "Each row says in which module its record is.";
    example: "module,record,file\n,738964000000291009,a.pdf";
    remedy: "Fill in the module's API name, such as Leads.";

    ModuleUnknown = "module-unknown", Error, Row;
    title: "the module is not known";
    meaning: "It is neither one of the modules that take attachments nor declared as a custom one.";
    example: "Leeds,738964000000291009,a.pdf";
    remedy: "Correct it. A custom module is declared by --custom-module NAME or under `custom_modules:`, with the API \
             name from Setup, Developer Hub, APIs & SDKs, API Names.";

    ModuleLabel = "module-label", Error, Row;
    title: "the module is named by its label, not by its API name";
    meaning: "The service knows modules by API names, in exactly this spelling; the labels on the screen are \
              different ones and can be changed by every organisation.";
    example: "Sales Orders,738964000000291009,a.pdf";
    remedy: "Write the API name that the hint gives: Sales_Orders.";

    ModuleUnsupported = "module-unsupported", Error, Row;
    title: "the service takes no attachments for this module";
    meaning: "Documents and Projects exist in the CRM, but the API does not attach anything to them.";
    example: "Documents,738964000000291009,a.pdf";
    remedy: "Attach to the record that the document belongs to, or leave the row out.";

    ModuleVersion = "module-version", Error, Row;
    title: "the module takes attachments only in later API versions";
    meaning: "Calls take attachments from v2.1 on, Appointments__s and Services__s from v3 on.";
    example: "Calls,738964000000291009,a.pdf     (with --api-version v2)";
    remedy: "Choose the version that the hint names with --api-version.";

    CustomModule = "custom-module", Error, Whole;
    title: "a declared custom module has a name that no module can have";
    meaning: "An API name begins with a letter and has only letters, digits and underscores, at most 64 of them. \
              Documents and Projects cannot be declared, since the API attaches nothing to them.";
    example: "custom_modules: [\"Site Visits\"]";
    remedy: "Take the API name from Setup, Developer Hub, APIs & SDKs, API Names: Site_Visits.";

    // Record ids.

    RecordMissing = "record-missing", Error, Row;
    title: "a row has no record id";
    meaning: "Each row says to which record its file or link belongs.";
    example: "Leads,,a.pdf";
    remedy: "Fill in the record's id, as in the address of its page or in an export, or its key of the old system in the \
             column key.";

    RecordNotFound = "record-not-found", Error, Row;
    title: "the module has no record with this id";
    meaning: "attache doctor asked the service for every record of the manifest, and this one is not there: it was \
              deleted, merged into another one, never existed, belongs to another organisation, or this user may not \
              see it. Who deleted it and when is said where the service's list of deleted records has it; that list \
              goes back 60 days for the recycle bin and 120 days for what has left it.";
    example: "Leads,738964000000291009,a.pdf     (deleted by Patricia Boyle, it is in the recycle bin)";
    remedy: "Restore the record from the recycle bin, or put the id of the record in its place that took it over. If \
             none of a module's records is found, the ids are probably those of another organisation. Otherwise leave \
             the row out.";

    RecordKeyUnknown = "record-key-unknown", Error, Row;
    title: "no record of the module has this key";
    meaning: "The row names its record by a key of the old system, and the crosswalk has no record for it. Either the \
              record was never imported, or the crosswalk is older than it, or the key is spelled in another way. \
              Leading zeros are not guessed: 7 and 007 may be two customers.";
    example: "Contacts,C-4711,a.pdf     (the crosswalk has C-4712, and no C-4711)";
    remedy: "Compare the key with the old system. If the record is in the CRM, make the crosswalk anew with attache \
             crosswalk; if it is not, import it first or leave the row out.";

    RecordKeyAmbiguous = "record-key-ambiguous", Error, Row;
    title: "the key stands for several records";
    meaning: "More than one record of the module has this key, so nobody can tell which of them the file belongs to. \
              The first one is never simply taken. Other spellings count together: an e-mail address in large and \
              small letters is one address.";
    example: "Contacts,info@example.com,a.pdf     (three contacts have this address)";
    remedy: "Merge the records in the CRM if they are one, or name the right one by its id in the column record. Then \
             make the crosswalk anew.";

    RecordKeyDamaged = "record-key-damaged", Error, Row;
    title: "a spreadsheet took the key for a number";
    meaning: "The key is written with an exponent, with decimals that are all 0 or with separators between thousands. \
              A spreadsheet did that to a text of digits, and may have lost some of them.";
    example: "Contacts,7.38964E+17,a.pdf";
    remedy: "Take the keys from the export again. In the spreadsheet, import the column as text.";

    RecordKeyText = "record-key-text", Error, Row;
    title: "the key is too long or has control characters in it";
    meaning: "A key has at most 255 characters, as many as a single-line field of the CRM, and all of them can be seen.";
    example: "Contacts,C\\t4711,a.pdf";
    remedy: "Compare it with the old system; perhaps two cells have run into one.";

    RecordKeyBoth = "record-key-both", Error, Row;
    title: "a row has both a record id and a key";
    meaning: "A row names its record by the id of the CRM or by the key of the old system. With both, nobody can tell \
              which of the two is to be believed where they differ.";
    example: "module,record,key,file\nContacts,738964000000291009,C-4711,a.pdf";
    remedy: "Empty one of the two cells.";

    RecordKeySpelling = "record-key-spelling", Note, Row;
    title: "keys were found in another spelling";
    meaning: "The crosswalk has the key in a spelling that means the same: ids of Salesforce with 15 or 18 characters, \
              GUIDs with or without braces, e-mail addresses in large or small letters or with mailto:, ids of Zoho with \
              or without zcrm_. Nothing else is taken for the same, and only where one record comes of it.";
    example: "Contacts,Anna@Example.com,a.pdf     (the crosswalk has anna@example.com)";
    remedy: "Nothing needs to be done.";

    CrosswalkMissing = "crosswalk-missing", Error, Whole;
    title: "rows name their record by a key, and there is no crosswalk";
    meaning: "A crosswalk is a CSV file with the columns module, key and record. It says which record of the CRM each \
              key of the old system stands for. Without it, nobody knows where the files belong.";
    example: "module,key,file\nContacts,C-4711,a.pdf     (and no --crosswalk FILE)";
    remedy: "Let attache crosswalk make one from the CRM or from an export of it, and name it with --crosswalk FILE.";

    CrosswalkDamaged = "crosswalk-damaged", Error, Whole;
    title: "a crosswalk cannot be relied on";
    meaning: "A line of the crosswalk is wrong: a spreadsheet damaged an id or a key, a module does not exist, a column \
              is missing, or the file cannot be read. Lines that look sound may be damaged as well, so nothing is sent on \
              the strength of such a file.";
    example: "module,key,record\nContacts,C-4711,7.38964E+17";
    remedy: "Make the file anew with attache crosswalk, and do not save it from a spreadsheet.";

    CrosswalkOrganisation = "crosswalk-organisation", Error, Whole;
    title: "the crosswalk is of another organisation";
    meaning: "The column org of the crosswalk names another organisation than the one that the run goes to. Its record \
              ids mean other records there, or none.";
    example: "a crosswalk made from the sandbox of the CRM, and a run against production";
    remedy: "Make the crosswalk from the organisation that the run goes to.";

    CrosswalkTolerated = "crosswalk-tolerated", Note, Whole;
    title: "something in a crosswalk was read with tolerance";
    meaning: "Columns that mean nothing here were passed over, lines without a key were left out, or blanks and the \
              prefix zcrm_ were taken off.";
    example: "module,key,record,Owner\nContacts, C-4711 ,zcrm_738964000000291009,Anna";
    remedy: "Nothing needs to be done.";

    RecordScientific = "record-scientific", Error, Row;
    title: "the id is written in scientific notation";
    meaning: "A spreadsheet turned the id into a number and shortened it. The digits that it dropped are lost and \
              cannot be worked out.";
    example: "Leads,7.38964E+17,a.pdf";
    remedy: "Take the ids from the export again. In the spreadsheet, import the column as text.";

    RecordDecimal = "record-decimal", Error, Row;
    title: "the id has a decimal point or comma";
    meaning: "A program took the id for a number with decimals; its last digits may be wrong.";
    example: "Leads,738964000000291009.0,a.pdf";
    remedy: "Take the ids from the export again, as text.";

    RecordThousands = "record-thousands", Error, Row;
    title: "the id has separators between thousands";
    meaning: "A program took the id for a number and formatted it; it may also have rounded it.";
    example: "Leads;738.964.000.000.291.009;a.pdf";
    remedy: "Take the ids from the export again, as text.";

    RecordSign = "record-sign", Error, Row;
    title: "the id has a sign";
    meaning: "Ids have neither plus nor minus.";
    example: "Leads,+738964000000291009,a.pdf";
    remedy: "Remove the sign, and check where it came from.";

    RecordWideDigits = "record-wide-digits", Error, Row;
    title: "the id has digits of another script";
    meaning: "The digits look like 0 to 9 but are other characters, such as the full-width ones of an East Asian \
              keyboard.";
    example: "Leads,７３８９６４０００００００２９１００９,a.pdf";
    remedy: "Write the id with the digits 0 to 9.";

    RecordApostrophe = "record-apostrophe", Error, Row;
    title: "the id begins with an apostrophe";
    meaning: "Spreadsheets use an apostrophe to mark a cell as text. Here it became part of the value.";
    example: "Leads,'738964000000291009,a.pdf";
    remedy: "Remove the apostrophe.";

    RecordLeadingZero = "record-leading-zero", Error, Row;
    title: "the id begins with a zero";
    meaning: "No id of the service begins with 0.";
    example: "Leads,0738964000000291009,a.pdf";
    remedy: "Compare it with the export; perhaps the column was filled up with zeros.";

    RecordLength = "record-length", Error, Row;
    title: "the id has too few or too many digits";
    meaning: "Ids have 10 to 19 digits, those of today 18 or 19. A shorter one is often a number of your own or of \
              another system.";
    example: "Leads,4711,a.pdf";
    remedy: "Use the id of the record in the CRM, as in the address of its page.";

    RecordTooLarge = "record-too-large", Error, Row;
    title: "the id is larger than any id can be";
    meaning: "The service keeps ids as 64-bit numbers, at most 9223372036854775807.";
    example: "Leads,9999999999999999999,a.pdf";
    remedy: "Compare it with the export.";

    RecordNotDigits = "record-not-digits", Error, Row;
    title: "the id has characters that are not digits";
    meaning: "An id has only digits. Blanks around it and the prefix zcrm_ of the CRM's own exports are taken off; \
              everything else is refused.";
    example: "Leads,LEAD-738964000000291009,a.pdf";
    remedy: "Use the id of the record in the CRM, as in the address of its page.";

    RecordRounded = "record-rounded", Warning, Row;
    title: "the id looks rounded by a spreadsheet";
    meaning: "Spreadsheets keep 15 digits of a number and put zeros for the rest. An id of 17 to 19 digits whose \
              digits after the 15th are all 0 exists now and then: one in 100 of 17 digits, one in 1,000 of 18, one in \
              10,000 of 19. This is said where there are more of them than that. When at least 3 different ones make up \
              half of all ids of their length, it was a spreadsheet, and this is an error.";
    example: "Leads,738964000000291000,a.pdf";
    remedy: "Take the ids from the export again, as text. If they are right, add --allow-rounded-ids.";

    RecordZerosByChance = "record-zeros-by-chance", Note, Whole;
    title: "some ids end in zeros, as many as chance makes";
    meaning: "An id that ends in zeros may have been rounded by a spreadsheet. Of many ids a few end so by chance: one in \
              100 of 17 digits, one in 1,000 of 18, one in 10,000 of 19. There are no more of them here than that, so they \
              are only counted.";
    example: "(two of 2,000 different ids, such as 738964000000291000)";
    remedy: "Nothing needs to be done. Compare one of them with the export if the table has been in a spreadsheet.";

    MixedOrganisations = "mixed-organisations", Warning, Whole;
    title: "the ids belong to more than one organisation";
    meaning: "The first digits of an id stand for the organisation. Ids of two organisations in one manifest often \
              mean that ids of a sandbox, or of the system moved from, are among them.";
    example: "Leads,738964000000291009,a.pdf\nLeads,415086000000291009,b.pdf";
    remedy: "Check the ids that begin differently.";

    ZcrmPrefix = "zcrm-prefix", Note, Row;
    title: "the prefix `zcrm_` was taken off ids";
    meaning: "The CRM's own exports put zcrm_ before ids. It is not part of the id and is taken off.";
    example: "Leads,zcrm_738964000000291009,a.pdf";
    remedy: "Nothing needs to be done.";

    OuterBlanks = "outer-blanks", Note, Row;
    title: "blanks around values were taken off";
    meaning: "Blanks before and after a module, an id, an address or a name are taken off. Those of a path are not, \
              since a file may be called so.";
    example: "Leads , 738964000000291009 ,a.pdf";
    remedy: "Nothing needs to be done.";

    // File or link.

    SourceMissing = "source-missing", Error, Row;
    title: "a row has neither a file nor a link";
    meaning: "Each row attaches exactly one file or one link.";
    example: "module,record,file\nLeads,738964000000291009,";
    remedy: "Fill in file or url.";

    SourceBoth = "source-both", Error, Row;
    title: "a row has both a file and a link";
    meaning: "One attachment is a file or a link, not both.";
    example: "module,record,file,url\nLeads,738964000000291009,a.pdf,https://example.com/a";
    remedy: "Make two rows of it, or empty one of the cells.";

    // Files.

    FileMissing = "file-missing", Error, Row;
    title: "the file does not exist";
    meaning: "There is nothing at this path. Paths are relative to the folder of the manifest, to its `root`, or to \
              --root DIR. Upper and lower case matter, and so does how accented letters are composed.";
    example: "Leads,738964000000291009,scans/Contract.PDF     (the file is scans/contract.pdf)";
    remedy: "Correct the path; where a file of nearly the same name exists, the hint gives it.";

    FileDenied = "file-denied", Error, Row;
    title: "the file may not be read";
    meaning: "The system refuses to open the file or a folder on the way to it.";
    example: "Leads,738964000000291009,private/a.pdf";
    remedy: "Give yourself leave to read it.";

    FileUnreadable = "file-unreadable", Error, Row;
    title: "the system reports trouble with the file";
    meaning: "The file could not be looked at for a reason other than being absent or forbidden, such as a circle of \
              links or a path that is too long.";
    example: "Leads,738964000000291009,circle.pdf";
    remedy: "Look at the system's message.";

    FileUnicodeForm = "file-unicode-form", Note, Row;
    title: "a file was found under another Unicode form of its name";
    meaning: "An accented letter can be one character or a letter and a mark behind it. The manifest has one form and the \
              disk the other, and the disk has one such file only, so it is the one that was meant.";
    example: "Leads,738964000000291009,Résumé.pdf     (composed here, decomposed on the disk)";
    remedy: "Nothing has to be done.";

    FileNotRegular = "file-not-regular", Error, Row;
    title: "the path leads to something that is not a file";
    meaning: "Only regular files can be sent, not folders, devices, pipes or sockets.";
    example: "Leads,738964000000291009,scans/";
    remedy: "Name a file. A folder has to be packed first, or gets a row for each file.";

    ArchiveUnreadable = "archive-unreadable", Error, Row;
    title: "the zip archive that should hold the file cannot be read";
    meaning: "The path leads into a zip archive by `!/`, and the file before it has no directory of members at its end, \
              or a damaged one. Most often the archive was cut off while it was downloaded or copied.";
    example: "Leads,738964000000291009,exports/Attachments_001.zip!/Attachments/700_a.pdf";
    remedy: "Download or copy the archive anew.";

    MemberMissing = "member-missing", Error, Row;
    title: "the zip archive has no file of this name";
    meaning: "The archive before `!/` is there, and its directory does not name what stands behind. Names inside an \
              archive count as they are written there: with their folders, in the same case.";
    example: "Leads,738964000000291009,exports/Attachments_001.zip!/700_a.pdf";
    remedy: "Write the name as the archive has it; a program that opens zip archives shows it.";

    MemberTwice = "member-twice", Error, Row;
    title: "the zip archive has more than one file of this name";
    meaning: "Programs differ in which of them they take for the file, so none is taken.";
    example: "Leads,738964000000291009,exports/A.zip!/a.pdf";
    remedy: "Unpack the archive with another program, look which file is meant, and name that.";

    MemberEncrypted = "member-encrypted", Error, Row;
    title: "the file in the zip archive is encrypted";
    meaning: "It cannot be read without a password, and passwords have no place in a manifest.";
    example: "Leads,738964000000291009,exports/secret.zip!/a.pdf";
    remedy: "Unpack the archive with its password and name the file itself.";

    MemberPacking = "member-packing", Error, Row;
    title: "the file in the zip archive is packed in a way that is not read";
    meaning: "Members that are stored as they are or packed with Deflate are read, which is what nearly all programs \
              write. This one uses another method.";
    example: "Leads,738964000000291009,exports/rare.zip!/a.pdf";
    remedy: "Unpack the archive with another program and name the file itself.";

    MemberBomb = "member-bomb", Error, Row;
    title: "the file in the zip archive would grow out of all proportion";
    meaning: "It announces more than 200 times its packed size. Archives are made so to fill disks; no document packs \
              that well.";
    example: "Leads,738964000000291009,exports/bomb.zip!/zeros.bin";
    remedy: "Look at what it is. If it is meant so, unpack it with another program and name the file itself.";

    ChecksumForm = "checksum-form", Error, Row;
    title: "a checksum is not one, or stands beside a link";
    meaning: "`sha256` takes 64 hexadecimal digits and `md5` takes 32, in either case. They are about the bytes of a \
              file, so a link can have none.";
    example: "module,record,file,md5\nLeads,738964000000291009,a.pdf,9001-5098";
    remedy: "Correct the checksum, or empty the cell.";

    ChecksumDiffers = "checksum-differs", Error, Row;
    title: "the file is not the one that its checksum is of";
    meaning: "The file was read and its bytes have another SHA-256 or MD5 than the manifest gives. It was damaged or \
              changed on its way from where the checksum was made. As a code in the results it says that this was \
              found while the file was being sent: the upload was left incomplete on purpose.";
    example: "module,record,file,md5\nLeads,738964000000291009,a.pdf,900150983cd24fb0d6963f7d28e17f72";
    remedy: "Copy the file anew from where it came. If it was changed on purpose, correct the checksum or empty the \
             cell, then run again; with --resend code=checksum-differs where it stands in the results.";

    FileOutside = "file-outside", Error, Row;
    title: "the file leads outside the folder of the manifest";
    meaning: "A manifest may come from somebody else and must not be able to send other files of yours away. So no \
              row may leave the folder of the manifest, its root or the one of --root, nor by a symbolic link.";
    example: "Leads,738964000000291009,../../private/a.pdf";
    remedy: "Name the folder that holds all the files with --root DIR, or add --allow-outside if you trust the rows.";

    FileEmpty = "file-empty", Error, Row;
    title: "the file is empty";
    meaning: "A file of 0 bytes is most often a copy that failed, and nothing says that the service takes it.";
    example: "Leads,738964000000291009,empty.pdf";
    remedy: "Replace the file, leave the row out, or add --allow-empty.";

    FileTooLarge = "file-too-large", Error, Row;
    title: "the file is too large for the service";
    meaning: "A request with its file may have 104,857,600 bytes (100 MiB), or what --max-size says; a few hundred \
              bytes are needed besides the file.";
    example: "Leads,738964000000291009,film.mp4     (300 MB)";
    remedy: "Make the file smaller, or keep it elsewhere and attach a link.";

    FileLarge = "file-large", Warning, Row;
    title: "the file is close to the limit of the service";
    meaning: "The documented limit is 100 MB. Whether that is 100,000,000 or 104,857,600 bytes is nowhere said, and \
              this request lies between the two.";
    example: "Leads,738964000000291009,film.mp4     (101 MB)";
    remedy: "Be ready for a refusal, or make the file smaller.";

    FileExe = "file-exe", Error, Row;
    title: "the file is a Windows program";
    meaning: "The service refuses names that end in .exe. Names that Windows would read so (upper case, dots or \
              blanks behind it, a full-width dot) count as well, for the file's own name and for the one sent.";
    example: "Leads,738964000000291009,setup.EXE";
    remedy: "Pack it into a zip file, or attach a link to it.";

    FileBackslash = "file-backslash", Error, Row;
    title: "a backslash stands in the path";
    meaning: "On this system folders are separated by /. The manifest was perhaps made on Windows.";
    example: "Leads,738964000000291009,scans\\a.pdf";
    remedy: "Replace each \\ by /; Windows understands that too.";

    FileNetwork = "file-network", Error, Row;
    title: "the path begins as one to another machine does";
    meaning: "On Windows a path that begins with two separators, \\\\server or //server, leads to another machine or to a \
              device, and the mere look at one can hand your credentials to whoever keeps it. It is refused by its \
              text on every system.";
    example: "Leads,738964000000291009,\\\\server\\share\\a.pdf";
    remedy: "Take one separator off; map a share to a drive or mount it, and name it with --root.";

    FileDrive = "file-drive", Error, Row;
    title: "the path begins with a drive and no separator behind it";
    meaning: "On Windows C:a.pdf is not a.pdf at the top of the drive, but in whatever folder was last used on it, so nobody \
              can say which file is meant. It is refused by its text on every system.";
    example: "Leads,738964000000291009,C:a.pdf";
    remedy: "Write the path from the manifest's folder, or the whole path with a separator behind the colon. On other \
             systems a file whose own name begins so is named with ./ in front.";

    FileDevice = "file-device", Warning, Row;
    title: "the name is that of a Windows device";
    meaning: "On Windows names such as CON, NUL or COM1 lead to devices, with any ending. The file can be sent, but \
              people who download it there will have trouble.";
    example: "Leads,738964000000291009,aux.pdf";
    remedy: "Give it another name in the column name.";

    // Links.

    LinkScheme = "link-scheme", Error, Row;
    title: "the link does not begin with http:// or https://";
    meaning: "Only absolute web addresses can be attached.";
    example: "Leads,738964000000291009,,www.example.com/a";
    remedy: "Write the address in full: https://www.example.com/a. For a file of this machine use the column file.";

    LinkHost = "link-host", Error, Row;
    title: "the link names no valid host";
    meaning: "Between // and the next / stands the name of a host, perhaps with a port.";
    example: "Leads,738964000000291009,,https:///a";
    remedy: "Copy the address from the browser again.";

    LinkUserInfo = "link-user-info", Error, Row;
    title: "the link carries a user name or a password";
    meaning: "Everyone who sees the record would see it too.";
    example: "Leads,738964000000291009,,https://me:secret@example.com/a";
    remedy: "Remove everything between // and @. If it was a real password, change it.";

    LinkBlank = "link-blank", Error, Row;
    title: "the link has blanks in it";
    meaning: "An address has no blanks; what follows one would be cut off.";
    example: "Leads,738964000000291009,,https://example.com/my file";
    remedy: "Write %20 for a blank.";

    LinkControl = "link-control", Error, Row;
    title: "the link has control characters in it";
    meaning: "Control characters are invisible and never part of an address.";
    example: "Leads,738964000000291009,,https://example.com/\\x07a";
    remedy: "Copy the address from the browser again.";

    LinkDirection = "link-direction", Error, Row;
    title: "the link has invisible marks of writing direction in it";
    meaning: "Such marks can make an address look like a different one.";
    example: "Leads,738964000000291009,,https://example.com/\\u202Efdp.a";
    remedy: "Copy the address from the browser again.";

    LinkEscape = "link-escape", Error, Row;
    title: "the link has a `%` that begins no escape";
    meaning: "In an address % is followed by two hexadecimal digits.";
    example: "Leads,738964000000291009,,https://example.com/50%";
    remedy: "Write %25 for a percent sign.";

    LinkTooLong = "link-too-long", Error, Row;
    title: "the link has more than 2,000 characters";
    meaning: "The service documents 2,000 as the longest address that it gives back.";
    example: "Leads,738964000000291009,,https://example.com/?q=(3,000 characters)";
    remedy: "Use a shorter address of the same page.";

    LinkTitle = "link-title", Warning, Row;
    title: "the title of the link is not sent";
    meaning: "This version of the API has no title for links, so the one given in the column name is not sent; the \
              attachment gets the name that the service chooses.";
    example: "Leads,738964000000291009,,https://example.com/a,The page";
    remedy: "Choose --api-version v8, or leave the name empty.";

    LinkTwice = "link-twice", Error, Row;
    title: "the same link stands twice for one record";
    meaning: "The service refuses a link that the record already has, whatever its title.";
    example: "Leads,738964000000291009,,https://example.com/a\nLeads,738964000000291009,,https://example.com/a";
    remedy: "Remove one of the rows.";

    // Names.

    NameTooLong = "name-too-long", Error, Row;
    title: "the name has more than 250 characters";
    meaning: "The service shows names of at most 250 characters.";
    example: "Leads,738964000000291009,a.pdf,(300 characters).pdf";
    remedy: "Give a shorter one in the column name; the file itself need not be renamed.";

    NameDots = "name-dots", Error, Row;
    title: "the name is `.` or `..`";
    meaning: "These stand for folders and are no names.";
    example: "Leads,738964000000291009,a.pdf,..";
    remedy: "Give another name, or leave the cell empty to use the file's own.";

    NameCharacter = "name-character", Error, Row;
    title: "the name has a quote, a slash or a backslash in it";
    meaning: "The characters \" / and \\ arrive differently at different receivers, or not at all. In a file's own \
              name a quote is replaced by _; a name that was given explicitly is not changed behind your back.";
    example: "Leads,738964000000291009,a.pdf,2024/05.pdf";
    remedy: "Use another character, such as - or _.";

    NameControl = "name-control", Error, Row;
    title: "the name has control characters in it";
    meaning: "Control characters are invisible and would break the request.";
    example: "Leads,738964000000291009,a.pdf,\"a\\x07.pdf\"";
    remedy: "Remove them.";

    NameDirection = "name-direction", Warning, Row;
    title: "the name has invisible marks of writing direction in it";
    meaning: "Such marks can make a name look like a different one, `gpj.exe` like `exe.jpg`. They are also part of \
              honest names in scripts written from right to left.";
    example: "Leads,738964000000291009,a.pdf,a\\u202Efdp.txt";
    remedy: "Check that the name is meant so.";

    NamePlaceholder = "name-placeholder", Warning, Row;
    title: "the name is a word that stands for a missing value";
    meaning: "Programs write nan, NULL, None or undefined where a value is missing. As a name it tells nobody what the \
              attachment is.";
    example: "Leads,738964000000291009,a.pdf,nan";
    remedy: "Give the name that is meant, or leave the cell empty to use the file's own.";

    NameExtension = "name-extension", Warning, Row;
    title: "the name drops the extension of the file";
    meaning: "The attachment is shown and downloaded under its name. Without the extension no program knows what to open it \
              with.";
    example: "Leads,738964000000291009,a.pdf,Contract";
    remedy: "Write the extension behind the name: Contract.pdf.";

    // Rows against each other.

    IdenticalRows = "identical-rows", Error, Row;
    title: "the same file under the same name stands twice for one record";
    meaning: "The record would get the file twice. The later row is the one reported.";
    example: "Leads,738964000000291009,a.pdf\nLeads,738964000000291009,./a.pdf";
    remedy: "Remove one of the rows, or add --allow-identical if it is meant so.";

    SentBefore = "sent-before", Error, Row;
    title: "the record may have this file already, from another path";
    meaning: "The row's path is a new one. But the results say that a file of the same name and size went to this record \
              from another path, and no row of the manifest asks for that one any more: folders were moved or renamed, \
              or the manifest was exported anew. Where the content of what was sent is known, it decides by itself. \
              Here it is not, since the line is of an earlier version or the record had the file before. Sending could \
              attach the file a second time; not sending could lose it.";
    example: "Leads,738964000000291009,scans-2024/a.pdf     (sent as scans/a.pdf)";
    remedy: "Compare the two. If all such rows were sent already, add --moved same: they take over the lines of the \
             results and are not sent. If none was, add --moved new. To say it row by row, give --moved a CSV file with \
             the columns line (of the manifest) and moved (same or new).";

    SentUnderAnotherName = "sent-under-another-name", Error, Row;
    title: "the record has this file already, under another name";
    meaning: "The same file went to this record under another name, and no row of the manifest asks for that one any \
              more: the name was changed, or the file was renamed and its content is the same. The service cannot rename an attachment, so sending the row would give the \
              record the file twice.";
    example: "Leads,738964000000291009,a.pdf,Offer 2.pdf     (sent as Offer.pdf)";
    remedy: "Add --renamed keep to leave what is there under its old name, or --renamed send to attach the file again \
             under the new one; then remove the old one in the CRM if it is not wanted.";

    SentToAnotherRecord = "sent-to-another-record", Error, Row;
    title: "this went to another record already, to which the same key led";
    meaning: "The row names its record by a key. The results say that the same file or link went to another record of this \
              module under that key, and no row of the manifest asks for that one any more: the two records were merged in \
              the CRM, or the crosswalk was made anew and its keys lead elsewhere. Merged records keep their attachments, \
              so sending could attach the file a second time.";
    example: "Contacts,K-7,a.pdf     (K-7 led to …291009 then, and leads to …291010 today)";
    remedy: "See where the keys led, in the column record of the results. If the records were merged, add --moved same: the \
             rows take over the lines of the results and are not sent. If the keys led to the wrong records, add --moved \
             new, and remove the attachments there in the CRM. If it is the new crosswalk that is wrong, put the old one \
             back. To say it row by row, give --moved a CSV file with the columns line (of the manifest) and moved (same \
             or new).";

    SentByAnotherManifest = "sent-by-another-manifest", Error, Row;
    title: "the results of another manifest know this row";
    meaning: "The row would be new here, but another results file in the same folder says that the same file or link went \
              to this record of the same target already, or another run that is under way is about to send it. A manifest \
              that was copied under another name, or split and put together again, would attach everything a second time.";
    example: "Leads,738964000000291009,a.pdf     (in copy.csv; uploads.results.csv has it)";
    remedy: "If nothing was sent by this manifest yet, go on with the results that know the rows: --results FILE. If its own \
             results tell of rows already, leave out those that the others know: --skip-invalid. A run that is under way is \
             waited for; then the same command is run again. If the rows are to be attached again all the same, add \
             --new-results. Results that have nothing to do with this may be moved to another folder.";

    // A plan that was approved.

    PlanDiffers = "plan-differs", Error, Whole;
    title: "the run is not the one that was approved";
    meaning: "The plan was saved for another target, another manifest, other crosswalks, other checks or other rows than \
              this run was given.";
    example: "attache run uploads.csv --dc us --plan plan.json   (saved with --dc eu)";
    remedy: "Give the run what the plan was saved with, or save a new plan and have it approved.";

    RowNotInPlan = "row-not-in-plan", Error, Row;
    title: "the plan that was approved does not send this row";
    meaning: "The row is new or was changed since the plan was saved, or the plan left it as it is. With --plan nothing is \
              sent that was not approved. Rows may stand in another order, and a path may be written otherwise (./a.pdf for \
              a.pdf); a file in another place is another one.";
    example: "Leads,738964000000291009,b.pdf     (added later)";
    remedy: "Put the manifest back as it was approved, or save a new plan and have it approved.";

    PlannedRowMissing = "planned-row-missing", Error, Row;
    title: "the plan that was approved sends a row that is not there any more";
    meaning: "The manifest does not have the row, or it is left out for a problem that it did not have. What was approved \
              could not be done as a whole.";
    example: "(a row was taken out of the manifest later)";
    remedy: "Put the row back, or save a new plan and have it approved.";

    PlannedFileDiffers = "planned-file-differs", Error, Row;
    title: "the file is not the one that was approved";
    meaning: "Its size or the time of its last change is not that of the file when the plan was saved. In a plan that was \
              saved with --sha256 the content decides, whatever the time.";
    example: "Leads,738964000000291009,a.pdf     (a.pdf was edited later)";
    remedy: "Put the file back as it was, or save a new plan and have it approved.";

    SameName = "same-name", Warning, Row;
    title: "two different files have the same name on one record";
    meaning: "Both are sent, one after the other, but people will not be able to tell them apart in the CRM.";
    example: "Leads,738964000000291009,may/scan.pdf\nLeads,738964000000291009,june/scan.pdf";
    remedy: "Give them different names in the column name.";
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ProblemCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The text is no code of a problem.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAProblemCode;

impl FromStr for ProblemCode {
    type Err = NotAProblemCode;

    fn from_str(text: &str) -> Result<ProblemCode, NotAProblemCode> {
        ProblemCode::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(NotAProblemCode)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_kebab_case_and_reads_back() {
        let mut seen = HashSet::new();
        for code in ProblemCode::ALL {
            let word = code.as_str();
            assert!(seen.insert(word), "{word} stands twice");
            assert!(
                word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{word}"
            );
            assert_eq!(word.parse(), Ok(*code));
        }
    }

    #[test]
    fn every_code_has_an_example_and_a_text() {
        for code in ProblemCode::ALL {
            assert!(code.example().trim().len() > 5, "{code}");
            assert!(code.meaning().len() > 20 && code.remedy().len() > 10, "{code}");
        }
    }
}
