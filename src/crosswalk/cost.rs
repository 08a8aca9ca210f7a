//! Which way to ask for the keys of a module, by what it costs.

use crate::crm::limits::BULK_READ_CREDITS;

/// How the keys of a module are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LookupWay {
    /// By lists of keys.
    Coql,
    /// By reading the whole module.
    BulkRead,
}

/// What is known before the first key is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LookupSize {
    /// Spellings to ask for; `None` for every key of the module.
    pub(crate) spellings: Option<usize>,
    /// Whether some keys may be spelled in ways that cannot be listed, and the field may tell them apart.
    pub(crate) has_unlisted: bool,
    /// Keys in a list.
    pub(crate) in_list: usize,
}

/// The cheaper way, and what it costs at least. How many records a module has is not known, so a module of more than
/// 200,000 costs one job more for each further 200,000.
pub(crate) fn choose_way(size: LookupSize) -> (LookupWay, u64) {
    let LookupSize { spellings: Some(spellings), has_unlisted: false, in_list } = size else {
        return (LookupWay::BulkRead, BULK_READ_CREDITS);
    };
    let lists = spellings.div_ceil(in_list.max(1)) as u64;
    if lists <= BULK_READ_CREDITS { (LookupWay::Coql, lists) } else { (LookupWay::BulkRead, BULK_READ_CREDITS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_keys_are_asked_for_one_list_after_the_other_and_many_by_reading_the_module() {
        let way = |spellings, has_unlisted| choose_way(LookupSize { spellings, has_unlisted, in_list: 50 });
        assert_eq!(way(Some(1_000), false), (LookupWay::Coql, 20));
        assert_eq!(way(Some(2_500), false), (LookupWay::Coql, 50));
        assert_eq!(way(Some(2_501), false), (LookupWay::BulkRead, 50));
        assert_eq!(way(Some(1), true), (LookupWay::BulkRead, 50));
        assert_eq!(way(None, false), (LookupWay::BulkRead, 50));
    }
}
