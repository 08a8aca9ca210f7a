//! Makes the requests of an undo.

use crate::listing::ListReading;
use crate::reply::{AttachmentPresence, Listed, PresenceReply, Reply};
use crate::undo::ports::UndoService;
use crate::upload::{RecordId, ServiceId};
use crate::zoho::Client;

/// The service, as far as an undo goes.
pub(super) struct ClientDeleter(pub(super) Client);

impl UndoService for ClientDeleter {
    fn list_page(
        &self,
        module: &str,
        record: RecordId,
        reading: &mut ListReading,
    ) -> Result<Option<Vec<Listed>>, Box<Reply>> {
        self.0.list_page(module, record, reading)
    }

    fn presence(&self, module: &str, record: RecordId, id: ServiceId) -> Result<AttachmentPresence, Box<Reply>> {
        match self.0.presence(module, record, id) {
            PresenceReply::Told { presence, .. } => Ok(presence),
            PresenceReply::Not(reply) => Err(Box::new(reply.into_kind())),
        }
    }

    fn delete(&self, module: &str, record: RecordId, id: ServiceId) -> Result<(), Box<Reply>> {
        self.0.delete(module, record, id)
    }

    fn credits_left(&self) -> Option<u64> {
        self.0.credits_left()
    }

    fn cut(&self) {
        self.0.cut();
    }
}
