"""What the terminal client says about codes of problems."""

_TEXTS = {
    "malformed": "This message is damaged.",
    "too_new": "This message needs a newer version of this program.",
    "misdirected": "This message was meant for another conversation and is not shown.",
    "unknown_device": "This message came from a device that nobody can verify and is not shown.",
    "missed": "Messages are missing here: this device had lost track of the group, and has joined it anew.",
    "not_decrypted_group": "This message could not be decrypted.",
    "no_such_group": "Not sent: you are not in this group.",
    "not_possible_in_group": "Not done: the group does not allow it.",
    "not_allowed_in_group": "Not done: your role in the group does not allow it.",
    "group_full": "Not done: the group has as many members as are allowed.",
    "too_long": "Not sent: this message is too long.",
    "request_not_accepted": "Not sent: wait until the other has accepted your request.",
    "attachments_full": "Not sent: your files on the platform have as many bytes as it allows. Older ones expire.",
    "attachment_too_large": "Not sent: this file is too large.",
    "file_unreadable": "Not sent: this file cannot be read any more.",
    "no_such_conversation": "Not sent: this conversation does not exist any more.",
}


def describe(code: str) -> str:
    """A sentence about a problem of a message."""
    if code in _TEXTS:
        return _TEXTS[code]
    if code.startswith("not_decrypted_"):
        return "This message could not be decrypted; its device is asked for it again."
    return f"Not sent: {code.replace('_', ' ')}."
