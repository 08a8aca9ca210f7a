//! What `attache doctor` checks: a fixed list, each with a page in `attache explain`.

use super::ExplainPage;

macro_rules! doctor_checks {
    ($($variant:ident = $code:literal; title: $title:literal; meaning: $meaning:literal; remedy: $remedy:literal;)+) => {
        /// A check of the service before a run. The words are stable: scripts rely on them.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum DoctorCheck {
            $(
                #[doc = concat!($title, ".")]
                $variant,
            )+
        }

        impl DoctorCheck {
            /// The word for it, in kebab-case.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(DoctorCheck::$variant => $code,)+
                }
            }
        }

        /// Their pages.
        pub const PAGES: &[ExplainPage] = &[
            $(ExplainPage { code: $code, title: $title, meaning: $meaning, remedy: $remedy },)+
        ];
    };
}

doctor_checks! {
    Manifest = "manifest";
    title: "whether the manifest is sound by its form";
    meaning: "The rows are read and judged as a dry run does, apart from their files, which need not be on this machine. \
              Rows that are not sound are not asked about.";
    remedy: "attache run MANIFEST --dry-run names each row and what to do; --problems FILE writes them into a file.";

    Connection = "connection";
    title: "whether the service can be reached";
    meaning: "The name of the host, the way there with or without a proxy, its certificate, and whether it answers as \
              Zoho does. It fails where no request had an answer, where the answer came from somewhere else (a redirect, \
              a page for signing in), and where the service asks for a very long pause. Then nothing else is asked.";
    remedy: "Check the address (--dc, --api-domain), the proxy of the environment (HTTPS_PROXY, NO_PROXY, --no-proxy) and, \
             where a company looks into its connections, the certificate of its authority (--ca-file FILE).";

    Clock = "clock";
    title: "how far this machine's clock is from the service's";
    meaning: "The service says its time with every answer. What depends on time goes by that clock, so a difference does no \
              harm to a run, but a clock that is far off makes certificates and tokens look too old or too new, and the \
              times of a log and of the CRM cannot be compared.";
    remedy: "Let the system set its clock from the network.";

    Credentials = "credentials";
    title: "whose credentials they are";
    meaning: "The user that everything is attached as, the organisation with its edition, and where the credentials come \
              from. It fails where the token is refused, and warns where the user is not active.";
    remedy: "Sign in with attache auth login, or set ZOHO_ACCESS_TOKEN or the three variables of a refresh token. \
             ZohoCRM.users.READ and ZohoCRM.org.READ let the names be shown. A token of another data centre is refused in \
             the same words as one that has ended: see data-centre.";

    DataCentre = "data-centre";
    title: "whether the token is of the data centre that is asked";
    meaning: "Every data centre (com, eu, in, …) has organisations and tokens of its own. Where the accounts server names \
              the address that a new token is good for, that is compared with the target; else a token that is taken is a \
              fitting one.";
    remedy: "Name the data centre in which the organisation is: --dc. It is the ending of the address that you use in the \
             browser, such as crm.zoho.eu.";

    Scopes = "scopes";
    title: "whether the token may do what the run will do";
    meaning: "Held against each other are the scopes that the modules of the manifest need and those that the accounts \
              server or the profile says were granted. Where neither says it, the attachments of one record of each \
              module are listed, which shows that reading is allowed. Whether creating is allowed would only show by \
              attaching something, so that stays not asked.";
    remedy: "Make a new grant code in the API console with all scopes that are named, and sign in with it.";

    Credits = "credits";
    title: "what the organisation's edition allows in a day and at once";
    meaning: "An edition allows so many API credits in 24 hours, more with each licence, and so many calls at once. All \
              programs of the organisation share them. The figures are those of the public table; how much of the day is \
              left the service says only once half of it is used. The pace that is named leaves one call at once to \
              others and reckons half a second for a call. It warns where the rows of the manifest need more than a day \
              has, or than is left of it.";
    remedy: "Use the options that are named: --concurrency, --rate, --credits-per-day. A run that needs several days can \
             sleep until credits come back (--wait-for-credits), or be started again on another day.";

    ApiVersion = "api-version";
    title: "whether this version of the API can attach to the modules";
    meaning: "The service lists its own calls with their prices and scopes (__apis). The version that the run uses must \
              have the call that attaches files to each module of the manifest.";
    remedy: "Use another version with --api-version, such as v8.";

    Modules = "modules";
    title: "whether the modules of the manifest exist";
    meaning: "Each name in the column module must be the API name of a module. Labels, which people see and can change, are \
              none; where a name is the label of a module, its API name is said. Custom modules must also be declared.";
    remedy: "Put the API name into the manifest, and declare a custom module with --custom-module NAME.";

    Attachments = "attachments";
    title: "whether the modules have attachments";
    meaning: "Not every module has a list of attachments, and a layout can lack or hide it. Where it is hidden, files can be \
              attached and are not seen on the page of a record.";
    remedy: "Show the related list Attachments in the layout of the module (Setup, Modules and Fields), or attach to another \
             module.";

    Writing = "writing";
    title: "whether the user may change records of the modules";
    meaning: "The list of modules says for each whether this user may edit its records. Whoever may not is usually refused \
              with NO_PERMISSION at the first upload. Rules of sharing for single records are not seen here.";
    remedy: "Use a user whose profile may edit the module, or ask an administrator.";

    Records = "records";
    title: "whether every record of the manifest exists";
    meaning: "Each distinct record is asked for once: 50 for one API credit, or all ids of the module by Bulk Read (50 \
              credits for up to 200,000 records) where that is cheaper. What Bulk Read lacks is asked for again by id. A \
              record that is missing is the problem record-not-found of each row that names it, with who deleted it and \
              when where the list of deleted records says so. A question without an answer is never taken for a missing \
              record.";
    remedy: "Look at the rows that are named; --problems FILE writes them into a file, to be mended and run as a manifest.";

    Crosswalk = "crosswalk";
    title: "whether the crosswalk is of the organisation that is asked";
    meaning: "A crosswalk that attache made says of which organisation it is. Its record ids mean nothing in another one, or \
              other records.";
    remedy: "Make the crosswalk anew from the organisation that the files go to: attache crosswalk.";

    Storage = "storage";
    title: "how much room is left for files";
    meaning: "A plan tells what the files of a manifest will take of the organisation's storage. No call of the service tells \
              how much is left. An upload that finds no room is refused with LIMIT_REACHED, and the run stops \
              and can go on later.";
    remedy: "Look in the CRM under Setup, Data Administration, Storage, and compare it with the size that the plan shows.";
}
