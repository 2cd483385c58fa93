"""The errors of images of profiles."""

from features.errors import Invalid
from features.media.errors import ATTACHMENT_ERRORS
from features.text_errors import ControlCharacters, TextTooLong


class ImageTooSmall(Invalid):
    """The image has too few pixels for what it is to be."""

    code = "image_too_small"
    field = "id"


IMAGE_ERRORS = (*ATTACHMENT_ERRORS, ImageTooSmall)
"""Of an image that a profile is to show."""

COVER_ERRORS = (*IMAGE_ERRORS, TextTooLong, ControlCharacters)
