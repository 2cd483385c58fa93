"""Files that messages carry: encrypted on this device, uploaded before the message is sent, downloaded when the user
wants them."""

from client.attachments.files import AttachmentFiles, FileChanged, SealedFile
from client.attachments.transfers import Transfers
from client.attachments.uploads import Upload, Uploads

__all__ = ["AttachmentFiles", "FileChanged", "SealedFile", "Transfers", "Upload", "Uploads"]
